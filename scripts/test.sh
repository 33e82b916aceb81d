#!/usr/bin/env bash
# Install into .venv and run every check; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/lint-imports
on_screen .venv/bin/python -m pytest "$@"
