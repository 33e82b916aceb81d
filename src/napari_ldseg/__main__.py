"""``python -m napari_ldseg``: the command line, also from a source tree that is not installed."""

from .cli._app import main

if __name__ == "__main__":
    main()
