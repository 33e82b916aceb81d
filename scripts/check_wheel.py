"""Check what a wheel carries: at most 20 MB, manifest, index and one model, no weights that only benchmarks read.

python scripts/check_wheel.py dist/*.whl
"""

import sys
import zipfile
from pathlib import Path

LIMIT = 20e6
NEEDED = ("napari.yaml", "py.typed", "_released/index.json", "_released/glas-small/model.safetensors")


def main() -> None:
    """Exit with what is wrong."""
    (path,) = sys.argv[1:]
    names = zipfile.ZipFile(path).namelist()
    faults = [f"{name} is missing" for name in NEEDED if f"napari_ldseg/{name}" not in names]
    faults += [f"{name} does not belong there" for name in names if "/evaluation/" in name]
    faults += [
        f"{name} is to be downloaded" for name in names if name.endswith(".safetensors") and NEEDED[3] not in name
    ]
    if Path(path).stat().st_size > LIMIT:
        faults.append(f"{Path(path).stat().st_size / 1e6:.0f} MB are more than {LIMIT / 1e6:.0f} MB")
    sys.exit("\n".join(faults) or 0)


if __name__ == "__main__":
    main()
