"""Runs `python -m schema` as an operator would."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def start(command: str, **environment: str) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_URL", "PG"))}
    return subprocess.Popen(
        [sys.executable, "-m", "schema", command],
        cwd=PROJECT,
        env=inherited | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end. Give exit status, standard output, standard error."""
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors
