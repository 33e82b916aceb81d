#!/usr/bin/env bash
# Install into .venv and run every check; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh
.venv/bin/ruff check .
.venv/bin/ruff format --check .
# mypy needs one processor for a minute; the tests can have the others meanwhile.
(.venv/bin/mypy && .venv/bin/lint-imports) &
types=$!
on_screen .venv/bin/python -m pytest "$@"
wait "$types"
