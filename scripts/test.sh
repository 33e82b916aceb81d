#!/usr/bin/env bash
# Install into .venv and run every check; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/lint-imports
if [ $# -gt 0 ]; then
    on_screen .venv/bin/python -m pytest "$@"
else
    # After a thousand other tests in one process, those that wait for a training run out of time: they go first, alone.
    alone=src/napari_ldseg/_tests/test_qt_train.py
    on_screen .venv/bin/python -m pytest "$alone"
    on_screen .venv/bin/python -m pytest --ignore "$alone"
fi
