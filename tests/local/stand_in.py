"""Stands in for the repository's programs in a copied checkout: `schema`, `status_service` and `ingest_service`."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg

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
    Path(f"{name}.seen").write_text(json.dumps(seen))
    if Path(f"{name}.fails").exists():
        sys.exit(f"{name} was told to fail")
    if name == "schema":
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            for role in ("ingest_service", "status_service"):
                if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchall():
                    connection.execute(f"CREATE ROLE {role} LOGIN")
    elif sys.argv[1:] != ["topics"]:
        for variable in ("PORT", "INTERNAL_PORT"):
            if variable in os.environ:
                serve(int(os.environ[variable]))
