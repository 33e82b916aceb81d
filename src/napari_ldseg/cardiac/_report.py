"""Read cines from files, and write cardiac measurements to files."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from .._util import follow, write_text
from ..config import CardiacConfig
from ..data import read_labels, read_notes
from ..errors import InputError
from ..measure import Measured, Spread
from ..reports import Cell, Table, csv_text, read_samples, samples_beside
from ._measure import Cardiac, measure_cardiac
from ._quality import judge


def read_cardiac(
    labels: Path,
    second: Path | None = None,
    *,
    samples: tuple[Path | None, Path | None] = (None, None),
    config: CardiacConfig | None = None,
) -> Cardiac:
    """Measure a file of labels (a cine), or two of one heart from the apical four- and two-chamber view.

    Parameters
    ----------
    labels, second : Path
    samples : tuple of Path or None
        For each; by default ``<stem>_samples.tif`` beside ``<stem>_labels.tif``.
    config : CardiacConfig, optional

    Raises
    ------
    InputError
        If a file cannot be read or is no cine, or the two have different units.
    """
    views, units = [], []
    for path, given in zip((labels, second), samples, strict=True):
        if path is None:
            continue
        found = read_labels(path)
        chosen = given or samples_beside(path).get("samples")
        masks = None if chosen is None else read_samples(chosen, found)
        views.append(Measured(np.asarray(found.array), len(found.spatial), found.spacing, masks))
        units.append(found.unit)
    if len(set(units)) > 1:
        raise InputError(f"The pixel sizes of the two views are in {' and '.join(units)}; write both in one unit.")
    return follow(measure_cardiac(*views, unit=units[0], config=config))


def cardiac_units(cardiac: Cardiac) -> tuple[str, str]:
    """Units of area and volume, in plain letters."""
    return ("cm^2", "ml") if cardiac.calibrated else ("pixel^2", "pixel^3")


def cardiac_table(cardiac: Cardiac) -> Table:
    """Return a row for each frame: areas and volume, with the interval where there are samples."""
    area, volume = cardiac_units(cardiac)
    sampled = len(cardiac.volume.samples) > 1
    curves = {
        f"LV area ({area})": cardiac.lv_area,
        f"LA area ({area})": cardiac.atrium_area,
        f"LV volume ({volume})": cardiac.volume,
    }
    columns = ["frame", "phase"]
    for name in curves:
        columns += [name, f"{name} low", f"{name} high"] if sampled else [name]
    rows: list[list[Cell]] = []
    for frame in range(cardiac.frames):
        phase = {cardiac.ed: "ED", cardiac.es: "ES"}.get(frame, "")
        row: list[Cell] = [frame, phase]
        for curve in curves.values():
            parts = (curve.values, curve.low, curve.high) if sampled else (curve.values,)
            row += [float(part[frame]) for part in parts]
        rows.append(row)
    return Table(columns, rows)


def cardiac_summary(cardiac: Cardiac) -> dict[str, Any]:
    """Return volumes and ejection fraction (%) with their intervals, as plain values."""
    unit = cardiac_units(cardiac)[1]
    fraction = cardiac.ejection_fraction
    percent = Spread(*(100 * part for part in (fraction.value, fraction.sd, fraction.low, fraction.high)))
    return {
        "method": ("biplane " if cardiac.biplane else "single-plane ") + cardiac.config.method,
        "end-diastole frame": cardiac.ed,
        "end-systole frame": cardiac.es,
        f"end-diastolic volume ({unit})": _plain(cardiac.end_diastolic_volume),
        f"end-systolic volume ({unit})": _plain(cardiac.end_systolic_volume),
        "ejection fraction (%)": _plain(percent),
        "samples": len(cardiac.volume.samples),
        "interval": cardiac.config.interval,
        "ejection fraction's interval widened by": cardiac.config.widen,
    }


def write_cardiac(cardiac: Cardiac, path: Path, provenance: dict[str, Any]) -> None:
    """Write the table (.csv) or the summary with settings and provenance (.json).

    Raises
    ------
    InputError
        For another suffix, or where the disk refuses.
    """
    if path.suffix.lower() == ".csv":
        write_text(path, csv_text(cardiac_table(cardiac)))
    elif path.suffix.lower() == ".json":
        notes = {
            **cardiac_summary(cardiac),
            **_quality(cardiac, provenance),
            "settings": cardiac.config.model_dump(),
            "provenance": provenance,
        }
        write_text(path, json.dumps(notes, indent=1, default=str) + "\n")
    else:
        raise InputError(f"{path.name} cannot be written: choose a name that ends in .csv or .json.")


def _quality(cardiac: Cardiac, provenance: dict[str, Any]) -> dict[str, Any]:
    found = judge(cardiac, *(notes for notes in provenance.values() if isinstance(notes, dict)))
    return {"quality": found.light, "out-of-distribution scores": [_number(score) for score in found.scores]}


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None


def cardiac_provenance(paths: list[Path]) -> dict[str, Any]:
    """Return the measured files, and the provenance noted in them."""
    return {path.name: read_notes(path) for path in paths}


def _plain(spread: Spread) -> dict[str, float | None]:
    """Turn undefined numbers into null."""
    parts = {"value": spread.value, "SD": spread.sd, "low": spread.low, "high": spread.high}
    return {name: float(f"{part:.6g}") if math.isfinite(part) else None for name, part in parts.items()}


def cardiac_words(cardiac: Cardiac) -> dict[str, str]:
    """Return ejection fraction and volumes as words, for example ``{"EF": "EF 58 % (54 to 61)", ...}``."""
    unit = "ml" if cardiac.calibrated else "px\N{SUPERSCRIPT THREE}"
    return {
        "EF": _words("EF", cardiac.ejection_fraction, 100, "%"),
        "EDV": _words("EDV", cardiac.end_diastolic_volume, 1, unit),
        "ESV": _words("ESV", cardiac.end_systolic_volume, 1, unit),
    }


def _words(name: str, spread: Spread, factor: float, unit: str) -> str:
    if not math.isfinite(spread.value):
        return f"{name} unknown"
    interval = f" ({factor * spread.low:.0f} to {factor * spread.high:.0f})" if math.isfinite(spread.low) else ""
    return f"{name} {factor * spread.value:.0f} {unit}{interval}"
