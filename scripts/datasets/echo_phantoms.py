"""Write echocardiography phantoms as a training set: images, labels, and a CSV that keeps each phantom in one group.

    python scripts/datasets/echo_phantoms.py --count 300 --frames 2 --out DIR
    napari-ldseg train --images DIR/images --labels DIR/labels --groups DIR/groups.csv ...

Frames are single TIFF files with their pixel size. With ``--frames 2`` they are end-diastole and end-systole.
``--camus`` adds the annotated frames of a folder of CAMUS patients; each patient is a group.
"""

import argparse
from pathlib import Path

from napari_ldseg._util import write_text
from napari_ldseg.data import read_image, read_labels, write_image
from napari_ldseg.phantoms import echo_cine


def add_camus(folder: Path, out: Path) -> list[str]:
    """Copy the end-diastolic and end-systolic frames of all patients as TIFF; return the lines of the CSV."""
    rows = []
    for path in sorted(folder.glob("patient*/*_E[DS].mhd")):
        image, labels = read_image(path), read_labels(path.with_name(f"{path.stem}_gt.mhd"))
        geometry = {"axes": "yx", "spacing": image.spacing, "unit": image.unit, "metadata": {}}
        write_image(out / "images" / f"{path.stem}.tif", image.array.squeeze(), **geometry)
        write_image(out / "labels" / f"{path.stem}.tif", labels.array.squeeze(), **geometry)
        rows.append(f"{path.stem}.tif,{path.parent.name}")
    return rows


def main() -> None:
    """Draw and write one phantom after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="phantoms")
    parser.add_argument("--frames", type=int, default=2, help="frames of each")
    parser.add_argument("--shape", type=int, nargs=2, help="rows and columns; default: 256 rows, columns as needed")
    parser.add_argument("--views", nargs="+", default=["4ch", "2ch"], choices=("4ch", "2ch"), help="taken in turns")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first phantom")
    parser.add_argument("--camus", type=Path, help="a folder of CAMUS patients, to add to the phantoms")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    shape = tuple(args.shape) if args.shape else None
    rows = ["image,group"]
    for seed in range(args.seed, args.seed + args.count):
        view = args.views[seed % len(args.views)]
        phantom = echo_cine(seed, frames=args.frames, shape=shape, view=view)
        image, group = phantom.image, f"phantom{seed:05d}"
        notes = {"phantom": group, "view": view, "ejection_fraction": phantom.ejection_fraction}
        for frame in range(args.frames):
            name = f"{group}_{frame:02d}"
            geometry = {"axes": "yx", "spacing": image.spacing, "unit": image.unit, "metadata": notes}
            write_image(args.out / "images" / f"{name}.tif", image.array[frame], **geometry)
            write_image(args.out / "labels" / f"{name}.tif", phantom.labels[frame], **geometry)
            rows.append(f"{name}.tif,{group}")
    if args.camus:
        rows += add_camus(args.camus, args.out)
    write_text(args.out / "groups.csv", "\n".join(rows) + "\n")
    print(f"{args.count} phantoms, {len(rows) - 1} frames in all in {args.out}.")  # noqa: T201


if __name__ == "__main__":
    main()
