"""`python -m deploy.local.observe`: a Prometheus with our rules on a running stack, until Ctrl-C."""

import contextlib
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from deploy.local.commands import StartError, host_environment, log_tail
from deploy.local.interruption import Interrupted, note_signals, wait_until
from deploy.local.ports import LOOPBACK, KeptPort

CONFIGURATION: Final = Path(__file__).parents[1] / "prometheus"
# What the configuration says where an operator puts his own.
TARGETS: Final = {"ingest_service:9090": "INGEST_INTERNAL_URL", "status_service:9091": "STATUS_URL"}
USUAL_PORT: Final = 9090
START_DEADLINE_SECONDS: Final = 30.0
END_DEADLINE_SECONDS: Final = 10.0


def configuration(environment: Mapping[str, str], interval: str = "5s") -> str:
    """Give deploy/prometheus/prometheus.yml with the addresses of a stack in place of the ones it has."""
    text = (CONFIGURATION / "prometheus.yml").read_text(encoding="utf-8")
    for target, name in TARGETS.items():
        text = text.replace(target, urlsplit(environment[name]).netloc)
    return text.replace("15s", interval).replace("rules/*.yml", f"{CONFIGURATION}/rules/*.yml")


@contextlib.contextmanager
def prometheus(directory: Path, configured: str) -> Iterator[str]:
    """Run Prometheus meanwhile, with what it keeps in a directory, and give its address. Raises StartError."""
    program = shutil.which("prometheus")
    if program is None:
        raise StartError("prometheus is not there: apt-get install prometheus")
    file, log_file = directory / "prometheus.yml", directory / "prometheus.log"
    file.write_text(configured, encoding="utf-8")
    port = KeptPort(directory / "port", USUAL_PORT).number
    address = f"http://{LOOPBACK}:{port}"
    with log_file.open("ab") as log:
        child = subprocess.Popen(  # noqa: S603 - the command is this package's own
            [
                program,
                f"--config.file={file}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address={LOOPBACK}:{port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=host_environment(),
        )

    def ready() -> bool:
        if child.poll() is not None:
            raise StartError(f"prometheus ended with exit status {child.returncode}\n{log_tail(log_file)}")
        with contextlib.suppress(URLError, OSError), urlopen(f"{address}/-/ready", timeout=1) as answer:  # noqa: S310
            return bool(answer.status == 200)
        return False

    try:
        if not wait_until(ready, START_DEADLINE_SECONDS):
            raise StartError(f"prometheus was not ready after {START_DEADLINE_SECONDS:.0f} s\n{log_tail(log_file)}")
        yield address
    finally:
        child.terminate()
        try:
            child.wait(END_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def main() -> None:
    note_signals()
    with tempfile.TemporaryDirectory(prefix="observe-") as name:
        try:
            with prometheus(Path(name), configuration(os.environ)) as address:
                sys.stdout.write(f"Prometheus: {address}/alerts (rules), {address}/graph (queries); Ctrl-C ends it\n")
                sys.stdout.flush()
                wait_until(lambda: False, math.inf)
        except Interrupted:
            pass
        except StartError as error:
            sys.stderr.write(f"observe: {error}\n")
            raise SystemExit(1) from None


if __name__ == "__main__":
    main()
