"""Write echocardiography phantoms as a training set: images, labels, and a CSV that keeps each phantom in one group.

    python benchmarks/echo_phantoms.py --count 300 --frames 2 --out DIR
    napari-ldseg train --images DIR/images --labels DIR/labels --groups DIR/groups.csv ...

Frames are single TIFF files with their pixel size; with ``--frames 2`` they are end-diastole and end-systole.
"""

import argparse
from pathlib import Path

from napari_ldseg.data import echo_cine, write_text, write_tiff


def main() -> None:
    """Draw and write one phantom after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="phantoms")
    parser.add_argument("--frames", type=int, default=2, help="frames of each")
    parser.add_argument("--shape", type=int, nargs=2, help="rows and columns; default: 256 rows, columns as needed")
    parser.add_argument("--views", nargs="+", default=["4ch", "2ch"], choices=("4ch", "2ch"), help="taken in turns")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first phantom")
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
            write_tiff(args.out / "images" / f"{name}.tif", image.array[frame], **geometry)
            write_tiff(args.out / "labels" / f"{name}.tif", phantom.labels[frame], **geometry)
            rows.append(f"{name}.tif,{group}")
    write_text(args.out / "groups.csv", "\n".join(rows) + "\n")
    print(f"{args.count} phantoms, {len(rows) - 1} frames in {args.out}.")  # noqa: T201


if __name__ == "__main__":
    main()
