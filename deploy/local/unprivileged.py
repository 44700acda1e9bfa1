"""How root runs PostgreSQL, which refuses to run as root."""

import functools
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass

from deploy.local.commands import StartError

# To try whether a command can be run at all.
PROBE_DEADLINE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Launch:
    """What stands before a command, and who must own the files it works on (None: who we are)."""

    prefix: tuple[str, ...]
    owner: int | None


@functools.cache
def unprivileged_launch() -> Launch:
    """Choose a user namespace, where the files stay root's; where those are forbidden, another account.

    The other account may pass directories closed to it (CAP_DAC_OVERRIDE), since a checkout of root's is often below
    one, and opening root's directories to everybody is no way out. PostgreSQL only refuses the user id 0.
    """
    if os.geteuid() != 0:
        return Launch((), None)
    account = _account()
    namespace = ("unshare", "--user", f"--map-user={account.pw_uid}")
    if _works(namespace):
        return Launch(namespace, None)
    switch = (
        "setpriv",
        f"--reuid={account.pw_uid}",
        f"--regid={account.pw_gid}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    )
    if _works(switch):
        return Launch(switch, account.pw_uid)
    raise StartError("PostgreSQL can't run as root, and neither unshare nor setpriv works here: run this as a user")


def _account() -> pwd.struct_passwd:
    """Take one with a name: initdb asks for the name of its user id, also inside a namespace."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StartError("PostgreSQL can't run as root, and there is neither an account 'postgres' nor 'nobody'")


def _works(prefix: tuple[str, ...]) -> bool:
    if shutil.which(prefix[0]) is None:
        return False
    probe = subprocess.run(  # noqa: S603 - a fixed command
        [*prefix, "true"], check=False, capture_output=True, timeout=PROBE_DEADLINE_SECONDS
    )
    return probe.returncode == 0
