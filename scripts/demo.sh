#!/usr/bin/env bash
# Install into .venv and open the demo. Without a screen: bash scripts/demo.sh --screenshot demo.png
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh
case " $* " in
    *" --screenshot"*) on_screen .venv/bin/napari-ldseg demo "$@" ;;
    *) .venv/bin/napari-ldseg demo "$@" ;;
esac
