"""Where the running stack is, and how Meta would sign for it."""

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path


class Environment:
    """The names of the stack's `env` file."""

    def __init__(self, values: Mapping[str, str], run_directory: Path) -> None:
        self.values = dict(values)
        self.run_directory = run_directory

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    @property
    def webhook_url(self) -> str:
        return f"{self['INGEST_URL']}/webhooks/meta"

    def signed(self, body: bytes) -> dict[str, str]:
        """Give the headers that Meta sends with a body."""
        digest = hmac.new(self["META_APP_SECRETS"].split(",")[0].encode(), body, hashlib.sha256).hexdigest()
        return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}
