"""Measure left ventricle and atrium over a cine: curves, volumes and ejection fraction, all with intervals."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from .._util import Progress
from ..config import CardiacConfig
from ..errors import InputError
from ..measure import Measured, Spread, spread_of
from ._ventricle import Ventricle, area_length, disk_summation, measure_ventricle

Array = NDArray[np.float64]
MILLIMETER = {"nanometer": 1e-6, "micrometer": 1e-3, "millimeter": 1.0, "centimeter": 10.0, "meter": 1000.0}


@dataclass(frozen=True)
class Curve:
    """A number for each frame.

    Attributes
    ----------
    values : float array ``(T,)``
        Of the labels.
    samples : float array ``(N, T)``
        Of each sample; N = 0 without samples.
    low, high : float array ``(T,)``
        Ends of the interval over the samples; nan without samples.
    """

    values: Array
    samples: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Cardiac:
    """The measurements of a cine of one or two apical views.

    Areas are in cm^2 and volumes in ml; where the pixel size is unknown, in pixels (``calibrated`` is False), and the
    ejection fraction holds all the same.

    Attributes
    ----------
    lv_area, atrium_area, volume : Curve
        Areas are those of the first view.
    lengths : float array ``(T,)``
        Long axis of the first view, mm (or pixels).
    ed, es : int
        Frames of end-diastole and end-systole.
    calibrated, biplane : bool
    config : CardiacConfig
    """

    lv_area: Curve
    atrium_area: Curve
    volume: Curve
    lengths: Array
    ed: int
    es: int
    calibrated: bool
    biplane: bool
    config: CardiacConfig

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.volume.values)

    def at(self, ed: int, es: int) -> "Cardiac":
        """Return a copy with other frames as end-diastole and end-systole.

        Raises
        ------
        InputError
            There is no such frame.
        """
        if not (0 <= ed < self.frames and 0 <= es < self.frames):
            raise InputError(
                f"End-diastole {ed} and end-systole {es} must be frames of this cine, 0 to {self.frames - 1}."
            )
        return replace(self, ed=ed, es=es)

    @property
    def end_diastolic_volume(self) -> Spread:
        """Volume at end-diastole."""
        return self._volume(self.ed)

    @property
    def end_systolic_volume(self) -> Spread:
        """Volume at end-systole."""
        return self._volume(self.es)

    @property
    def ejection_fraction(self) -> Spread:
        """(EDV - ESV) / EDV, 0 to 1.

        Each sample gives one: both of its volumes are taken from the same sample, so that what is common to both
        frames (a mask that is generous throughout) cancels, as it does in the fraction itself. Samples agree more than
        they are right: the ends of their interval are moved away from the value by the factor ``config.widen``.
        """
        volume = self.volume
        with np.errstate(divide="ignore", invalid="ignore"):
            value = 1 - volume.values[self.es] / volume.values[self.ed]
            samples = 1 - volume.samples[:, self.es] / volume.samples[:, self.ed]
        same = self.ed == self.es
        if same:
            return Spread(math.nan)
        found = spread_of(float(value), samples.tolist(), self.config.interval)
        low, high = (found.value + self.config.widen * (end - found.value) for end in (found.low, found.high))
        return replace(found, low=low, high=min(high, 1.0))

    def _volume(self, frame: int) -> Spread:
        sampled = self.volume.samples[:, frame].tolist()
        return spread_of(float(self.volume.values[frame]), sampled, self.config.interval)


def measure_cardiac(
    source: Measured, second: Measured | None = None, *, unit: str = "millimeter", config: CardiacConfig | None = None
) -> Generator[Progress, None, Cardiac]:
    """Measure a cine of an apical view, or of two that cross at right angles (biplane).

    Frames of a second view with another frame count are taken at the same share of the cine. End-diastole is the frame
    with the largest volume and end-systole that with the smallest, on the curve after a running median of 3 frames.

    Parameters
    ----------
    source, second : Measured
        Labels ``(T, Y, X)`` or ``(Y, X)``, with samples where there are some, in the classes of CAMUS unless
        ``config`` says otherwise; samples are paired by their index over frames and views.
    unit : str
        Of the pixel size of both.
    config : CardiacConfig, optional

    Yields
    ------
    Progress
        In frames.

    Raises
    ------
    InputError
        The labels are no cine, or no frame has a left ventricle.
    """
    config = config or CardiacConfig()
    views = [view for view in (source, second) if view is not None]
    counts = [_frames(view) for view in views]
    total, done = sum(counts), 0
    measured: list[list[list[Ventricle]]] = []
    calibrated = unit in MILLIMETER and all(view.spacing is not None for view in views)
    scale = MILLIMETER[unit] if calibrated else 1.0
    for view, count in zip(views, counts, strict=True):
        rows = []
        for frame in range(count):
            yield Progress(done, total, f"Frame {done} of {total}")
            rows.append(_measure_frame(view, frame, scale, config))
            done += 1
        measured.append(_same_count(rows))
    if all(math.isnan(row[0].area) for row in measured[0]):
        raise InputError(
            f"No frame has a left ventricle (class {config.lv}); choose labels whose classes are 1 left ventricle, "
            "2 myocardium, 3 left atrium, or give the class of the left ventricle."
        )
    first = measured[0]
    other = None if second is None else [measured[1][place] for place in stretched(counts[1], counts[0])]
    if other is not None:
        samples = min(len(first[0]), len(other[0]))
        first, other = [row[:samples] for row in first], [row[:samples] for row in other]
    return _gather(first, other, calibrated, config)


def _frames(source: Measured) -> int:
    if source.ndim != 2 or source.labels.ndim > 3:
        raise InputError(
            f"Labels of shape {source.labels.shape} are no cine of one view; give them with the axes (frames, y, x)."
        )
    return source.labels.shape[0] if source.labels.ndim == 3 else 1


def _measure_frame(source: Measured, frame: int, scale: float, config: CardiacConfig) -> list[Ventricle]:
    """Measure the labels of a frame, then each of its samples on the grid on which it was drawn."""
    index = (frame,) if source.labels.ndim == 3 else ()
    classes = {"lv": config.lv, "myocardium": config.myocardium, "atrium": config.atrium}
    steps = tuple(step * scale for step in source.steps)
    found = [measure_ventricle(source.labels[index], steps, **classes)]
    if source.masks is not None:
        coarse = tuple(step * factor for step, factor in zip(steps, source.masks.factors, strict=True))
        found += [measure_ventricle(mask, coarse, **classes) for mask in source.masks.at(index)]
    return found


def _same_count(rows: list[list[Ventricle]]) -> list[list[Ventricle]]:
    """Leave out samples that some frames lack."""
    common = min(map(len, rows))
    return [row[:common] for row in rows]


def stretched(count: int, wanted: int) -> list[int]:
    """Frames of a cine of ``count`` frames at the same share of it as those of one of ``wanted`` frames."""
    if wanted == 1:
        return [0]
    return [round(frame * (count - 1) / (wanted - 1)) for frame in range(wanted)]


def _gather(
    first: list[list[Ventricle]], other: list[list[Ventricle]] | None, calibrated: bool, config: CardiacConfig
) -> Cardiac:
    to_area, to_volume = (1 / 100, 1 / 1000) if calibrated else (1.0, 1.0)
    alone: list[list[Ventricle | None]] = [[None] * len(row) for row in first]
    partners_of_all: Sequence[Sequence[Ventricle | None]] = alone if other is None else other
    volumes = [
        [_volume(one, pair, config) * to_volume for one, pair in zip(row, partners, strict=True)]
        for row, partners in zip(first, partners_of_all, strict=True)
    ]
    volume = _curve(volumes, config)
    ed, es = find_phases(volume.values)
    return Cardiac(
        _curve([[one.area * to_area for one in row] for row in first], config),
        _curve([[one.atrium_area * to_area for one in row] for row in first], config),
        volume,
        np.array([row[0].length for row in first]),
        ed,
        es,
        calibrated,
        other is not None,
        config,
    )


def _volume(one: Ventricle, other: Ventricle | None, config: CardiacConfig) -> float:
    if config.method == "area-length":
        if other is None:
            return area_length(one.area, one.length)
        # Biplane: the product of both areas in place of the square, and the shorter axis.
        return area_length(math.sqrt(one.area * other.area), min(one.length, other.length))
    if other is None:
        return disk_summation(one.diameters, one.diameters, one.length)
    return disk_summation(one.diameters, other.diameters, max(one.length, other.length))


def _curve(rows: Sequence[Sequence[float]], config: CardiacConfig) -> Curve:
    table = np.array(rows, float).T  # (1 + N, T)
    values, samples = table[0], table[1:]
    spreads = [spread_of(float(values[t]), samples[:, t].tolist(), config.interval) for t in range(len(values))]
    return Curve(values, samples, np.array([s.low for s in spreads]), np.array([s.high for s in spreads]))


def find_phases(volumes: Array) -> tuple[int, int]:
    """Return the frames of the largest and the smallest volume, after a running median of 3; nan is left out."""
    known = np.isfinite(volumes)
    filled = np.interp(np.arange(len(volumes)), np.nonzero(known)[0], volumes[known])
    smooth = ndi.median_filter(filled, 3, mode="nearest") if len(volumes) >= 5 else filled
    # The median makes plateaus: within them the frame's own volume decides.
    ed = max(np.nonzero(known)[0].tolist(), key=lambda frame: (smooth[frame], volumes[frame]))
    es = min(np.nonzero(known)[0].tolist(), key=lambda frame: (smooth[frame], volumes[frame]))
    return ed, es
