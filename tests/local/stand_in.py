"""Stands in for the services in a copied checkout."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

# What the stack passed to each program, for the tests to read.
SEEN = ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SASL_PASSWORD", "META_APP_SECRETS", "HOST", "PGHOST")


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        pass


def serve(port: int) -> None:
    Thread(target=ThreadingHTTPServer(("127.0.0.1", port), Health).serve_forever).start()


def main(name: str) -> None:
    seen = {variable: os.environ[variable] for variable in SEEN if variable in os.environ}
    Path(f"{' '.join([name, *sys.argv[1:]])}.seen").write_text(json.dumps(seen))
    if Path(f"{name}.fails").exists():
        sys.exit(f"{name} was told to fail")
    if name != "schema" and sys.argv[1:] != ["topics"]:
        for variable in ("PORT", "INTERNAL_PORT"):
            if variable in os.environ:
                serve(int(os.environ[variable]))
