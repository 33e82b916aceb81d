"""Measure the errors of volumes and ejection fraction from true masks: the tables of docs/cardiac.md.

    python -m benchmarks.evidence.cardiac --phantoms 50
    python -m benchmarks.evidence.cardiac --camus ../shared/data/camus

``--phantoms`` measures phantoms of known volume, in one view and in both. ``--camus`` measures the ground-truth masks
of CAMUS patients and compares them with the volumes that the data set states. It needs SimpleITK.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_ldseg._util import follow
from napari_ldseg.cardiac import Cardiac, measure_cardiac
from napari_ldseg.config import CardiacConfig
from napari_ldseg.measure import Measured
from napari_ldseg.phantoms import echo_cine

METHODS = ("simpson", "area-length")
VIEWS = {"4CH": (0,), "2CH": (1,), "biplane": (0, 1)}
Case = tuple[str, list[Measured], tuple[float, float, float]]


def measured(views: list[Measured], which: tuple[int, ...], method: str) -> Cardiac:
    """Run to the end."""
    return follow(measure_cardiac(*(views[index] for index in which), config=CardiacConfig(method=method)))


def phantoms(count: int) -> Iterator[Case]:
    """Yield phantoms in both views, with true EDV, ESV (ml) and EF (%)."""
    for seed in range(count):
        pair = [echo_cine(seed, frames=2, view=view) for view in ("4ch", "2ch")]
        views = [Measured(one.labels, 2, one.image.spacing) for one in pair]
        edv, esv = pair[0].lv_volumes
        yield f"phantom {seed}", views, (edv, esv, 100 * pair[0].ejection_fraction)


def camus(folder: Path) -> Iterator[Case]:
    """Yield CAMUS patients: true masks at ED and ES, and the volumes that Info_4CH.cfg states."""
    import SimpleITK

    for patient in sorted(folder.iterdir()):
        views = []
        for view in ("4CH", "2CH"):
            masks = [SimpleITK.ReadImage(patient / f"{patient.name}_{view}_{at}_gt.mhd") for at in ("ED", "ES")]
            labels = np.concatenate([SimpleITK.GetArrayFromImage(mask) for mask in masks])
            views.append(Measured(labels, 2, masks[0].GetSpacing()[1::-1]))
        lines = (patient / "Info_4CH.cfg").read_text().splitlines()
        info = dict(line.split(": ", 1) for line in lines if ": " in line)
        yield patient.name, views, (float(info["LVedv"]), float(info["LVesv"]), float(info["LVef"]))


def main() -> None:
    """Print a row for each case and a summary for each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phantoms", type=int, help="how many")
    parser.add_argument("--camus", type=Path, help="folder of the patients")
    args = parser.parse_args()
    cases = list(camus(args.camus) if args.camus else phantoms(args.phantoms or 20))
    for method in METHODS:
        for name, which in VIEWS.items():
            errors = []
            for case, views, truth in cases:
                found = measured(views, which, method)
                volumes = found.end_diastolic_volume.value, found.end_systolic_volume.value
                numbers = (*volumes, 100 * found.ejection_fraction.value)
                errors.append(np.subtract(numbers, truth))
                if args.camus:
                    pairs = " ".join(f"{n:6.1f} ({t})" for n, t in zip(numbers, truth, strict=True))
                    print(f"{method:12s} {name:8s} {case}: {pairs}")  # noqa: T201
            share = np.array(errors)[:, :2] / np.array([truth[:2] for _, _, truth in cases]) * 100
            edv, esv = (f"{part.mean():+5.1f} +- {part.std():4.1f} %" for part in share.T)
            ef = np.array(errors)[:, 2]
            print(f"{method:12s} {name:8s} EDV {edv}  ESV {esv}  EF {ef.mean():+5.1f} +- {ef.std():4.1f} points")  # noqa: T201


if __name__ == "__main__":
    main()
