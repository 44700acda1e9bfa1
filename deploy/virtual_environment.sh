#!/usr/bin/env bash
# Makes .venv from the lock file. Run by make from the project's root; PYTHON=... chooses the interpreter.
set -euo pipefail

fail() { printf '%s\n' "$@" >&2; exit 1; }

supported='import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'
found=
for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 /usr/bin/python3}; do
  if command -v "$python" >/dev/null && "$python" -c "$supported" 2>/dev/null; then found=$python; break; fi
done
[ -n "$found" ] || fail "Python 3.11, 3.12 or 3.13 is needed. On Debian: apt-get install python3 python3-venv"
"$found" -c 'import ensurepip, venv' 2>/dev/null ||
  fail "$("$found" --version) has no venv module. On Debian: apt-get install python3-venv"

printf 'Making .venv with %s ...\n' "$("$found" --version)"
rm -rf .venv
"$found" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
  --requirement deploy/requirements/development.txt
touch .venv/ready
