"""Write knee phantoms as a training set: images and labels.

    python scripts/datasets/knee_phantoms.py --count 40 --out DIR
    napari-ldseg train --images DIR/images --labels DIR/labels ...

Three of four volumes are turned to the axis order of NIfTI files of sagittal knee MRI (left to right, top to bottom,
front to back). The fourth keeps the order of ``volume_phantom`` (front to back first).
"""

import argparse
from pathlib import Path

from napari_ldseg.data import write_image
from napari_ldseg.phantoms import volume_phantom

SHAPE = (240, 104, 160)


def main() -> None:
    """Draw and write one phantom after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--shape", type=int, nargs=3, default=SHAPE, help="voxels front to back, down, left to right")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first phantom")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    for seed in range(args.seed, args.seed + args.count):
        image, labels = volume_phantom(seed, tuple(args.shape))
        array, spacing = image.array, image.spacing
        if seed % 4:
            array, labels, spacing = array.transpose(2, 1, 0), labels.transpose(2, 1, 0), spacing[::-1]
        for kind, values in (("images", array), ("labels", labels)):
            path = args.out / kind / f"knee{seed:05d}.tif"
            write_image(path, values, axes="zyx", spacing=spacing, unit=image.unit, metadata={"phantom": seed})
    print(f"{args.count} phantoms in {args.out}.")  # noqa: T201


if __name__ == "__main__":
    main()
