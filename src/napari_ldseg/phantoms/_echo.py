"""An apical echocardiogram of a heart of known volume: scatterers that move with the tissue, seen by a sector probe."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from ..data import Image
from ..errors import InputError
from ._echo_tissue import Echogenicity, leaflets, texture
from ._heart import Array, Heart, Pose, Tissue, View, cycle, random_heart, volume_curve

DENSITY = 3.0  # scatterers per mm^2: several in each resolution cell, so that speckle is fully developed
WAVELENGTH = 0.6  # mm, 2.5 MHz in tissue
AXIAL = 0.38  # mm, standard deviation of the pulse
APERTURE = 5.0  # mm, standard deviation of the beam at the probe
RANGE_STEP = 0.35  # mm
BEAM_STEP = math.radians(0.45)


@dataclass(frozen=True)
class EchoPhantom:
    """A cine of one heart beat with everything that is known about it.

    Attributes
    ----------
    image : Image
        ``tyx`` uint8, mm.
    labels : uint8 array ``(t, y, x)``
        0 background, 1 left ventricle (LV), 2 its myocardium, 3 left atrium: the classes of CAMUS.
    lv_areas, atrium_areas : float array, one for each frame
        Area in the plane of the view, cm^2.
    lv_volumes : float array
        ml.
    ejection_fraction : float
        0 to 1.
    ed, es : int
        Frames of end-diastole (the largest LV) and end-systole (the smallest).
    heart : Heart
    """

    image: Image
    labels: NDArray[np.uint8]
    lv_areas: Array
    atrium_areas: Array
    lv_volumes: Array
    ejection_fraction: float
    ed: int
    es: int
    heart: Heart


@dataclass(frozen=True)
class _Probe:
    """Sector and picture of one phantom: depth (mm), half of the opening angle, pixels, pixel size (mm)."""

    depth: float
    half_angle: float
    shape: tuple[int, int]
    spacing: float

    def pixels(self) -> tuple[Array, Array]:
        """Depth below and distance to the right of the transducer for each pixel, mm."""
        rows, columns = self.shape
        y = (np.arange(rows) + 0.5) * self.spacing
        x = (np.arange(columns) + 0.5 - columns / 2) * self.spacing
        return np.broadcast_to(y[:, np.newaxis], self.shape), np.broadcast_to(x, self.shape)

    @property
    def beams(self) -> tuple[int, int]:
        """Samples along a beam, and beams."""
        return math.ceil(self.depth / RANGE_STEP) + 1, math.ceil(2 * self.half_angle / BEAM_STEP) + 1

    def ranges(self) -> Array:
        """Distance of each sample along a beam, mm."""
        return np.asarray((np.arange(self.beams[0]) + 0.5) * RANGE_STEP)


@dataclass(frozen=True)
class _Look:
    """What differs between machines and patients: resolution, and gains on the grid of ranges and beams."""

    dynamic_range: float
    beam_width: float
    haze: float
    decibel: Array
    clutter: NDArray[np.complex64]
    noise: Array


@dataclass(frozen=True)
class _Scanner:
    """All that the frames of one phantom share."""

    heart: Heart
    probe: _Probe
    look: _Look
    tissue: Tissue
    strength: Array
    blood: NDArray[np.bool_]
    places: tuple[Array, Array, NDArray[np.bool_]]


def echo_cine(seed: int, *, frames: int = 32, shape: tuple[int, int] | None = None, view: View = "4ch") -> EchoPhantom:
    """Draw one heart beat as an apical echocardiogram.

    Point scatterers with the strength of their tissue move with it (blood is drawn anew in each frame), are summed
    with their phase on the grid of ranges and beams, blurred with a pulse and a beam of constant angle (so speckle
    widens with depth, as in the convolution model of Gao et al., IEEE TUFFC 56 (2009) 404), joined by clutter, haze
    and noise, weakened by attenuation and shadows, log-compressed, and brought onto a square grid.

    Parameters
    ----------
    seed : int
        The same seed draws the same heart, in both views.
    frames : int
        At least 1, evenly over the cycle from end-diastole; one frame is end-systole exactly (with 2, the second).
    shape : tuple of int, optional
        ``(rows, columns)``, at least 32 each, into which the sector fits; by default 256 rows and the columns that the
        sector needs. The pixels are square, and ``image.spacing`` says how large.
    view : "4ch" or "2ch"
        Apical four-chamber or two-chamber view.

    Returns
    -------
    EchoPhantom

    Raises
    ------
    InputError
        If frames, shape or view are out of these limits.
    """
    if frames < 1 or view not in ("4ch", "2ch") or (shape is not None and (len(shape) != 2 or min(shape) < 32)):
        raise InputError(
            f"An echo phantom with {frames} frames of {shape} in the view {view!r} cannot be drawn; give at least "
            "1 frame, two sides of at least 32 pixels, and the view '4ch' or '2ch'."
        )
    heart = random_heart(np.random.default_rng(seed), view)
    rng = np.random.default_rng([seed, view == "2ch"])
    phases, es = cycle(frames, heart.systole)
    ejected = volume_curve(phases, heart.systole)
    poses = [heart.pose(float(share)) for share in ejected]
    scanner = _prepare(heart, shape, rng)
    pictures = [_picture(scanner, pose, float(share), rng) for pose, share in zip(poses, ejected, strict=True)]
    labels = np.stack([heart.labels(*scanner.probe.pixels(), pose) for pose in poses])
    areas = np.array([heart.areas(pose) for pose in poses]) / 100
    volumes = heart.end_diastolic_volume * (1 - heart.ejection_fraction * ejected) / 1000
    spacing = (scanner.probe.spacing,) * 2
    image = Image(np.stack(pictures), "tyx", spacing, "millimeter", f"echo {view} phantom {seed}")
    return EchoPhantom(image, labels, areas[:, 0], areas[:, 1], volumes, heart.ejection_fraction, 0, es, heart)


def _prepare(heart: Heart, shape: tuple[int, int] | None, rng: np.random.Generator) -> _Scanner:
    """Choose a probe and a look, and strew scatterers evenly over the sector and a margin, whence tissue moves in."""
    probe, margin = _random_probe(heart, shape, rng), 12.0
    half = probe.depth * math.sin(probe.half_angle) + margin
    count = round(DENSITY * 2 * half * (probe.depth + margin))
    depth, right = rng.uniform(0, probe.depth + margin, count), rng.uniform(-half, half, count)
    seen = np.abs(right) < np.tan(probe.half_angle) * depth + margin
    depth, right = depth[seen].astype(np.float32), right[seen].astype(np.float32)
    start = heart.pose(0)
    tissue = Tissue(heart, start, *heart.to_heart(depth, right, start))
    found = Echogenicity(tissue, rng)
    decibel = found.decibel + texture(depth, right, (7, 7), rng) * rng.uniform(1.5, 4)
    decibel += texture(depth, right, (22, 22), rng) * rng.uniform(2, 5) * ~found.blood
    strength = 10 ** (decibel / 20) * rng.normal(size=decibel.shape)
    return _Scanner(
        heart, probe, _random_look(probe, rng), tissue, strength.astype(np.float32), found.blood, _places(probe)
    )


def _random_probe(heart: Heart, shape: tuple[int, int] | None, rng: np.random.Generator) -> _Probe:
    """Choose depth and angle so that most of the atrium is in the picture."""
    half_angle = math.radians(rng.uniform(37, 46))
    bottom = heart.apex[0] + (heart.length * (1 + heart.apex_wall) + heart.atrium_length) * math.cos(heart.tilt)
    depth = bottom * rng.uniform(0.96, 1.2)
    width = 2 * depth * math.sin(half_angle)
    if shape is None:
        shape = (256, round(256 * width / depth))
    return _Probe(depth, half_angle, shape, max(depth / shape[0], width / shape[1]))


def _random_look(probe: _Probe, rng: np.random.Generator) -> _Look:
    ranges, beams = probe.ranges()[:, np.newaxis], probe.beams[1]
    share = ranges / probe.depth
    gain = rng.uniform(-18, -9) + rng.uniform(-6, 6) * (share - 0.5) + rng.uniform(-2, 2) * np.cos(2 * np.pi * share)
    across = ndi.gaussian_filter1d(rng.normal(size=beams), beams / 12)
    shadows = np.minimum(across / np.abs(across).max() + rng.uniform(-0.2, 0.5), 0) * rng.uniform(0, 20)
    edge = np.abs(np.linspace(-1, 1, beams)) ** 6 * rng.uniform(0, 8)
    near = np.exp(-((ranges / rng.uniform(7, 14)) ** 2)) * 10 ** (rng.uniform(-16, 2) / 20)
    bands = near * (1.1 + np.cos(ranges * 2 * np.pi / rng.uniform(3, 6)))
    static = ndi.gaussian_filter(_complex_noise(probe.beams, rng), (0, 12)) * 8
    reverberation = 10 ** (rng.uniform(-34, -20) / 20) * np.exp(-ranges / rng.uniform(20, 50))
    return _Look(
        dynamic_range=rng.uniform(42, 58),
        beam_width=math.radians(rng.uniform(0.55, 0.85)),
        haze=10 ** (rng.uniform(-30, -17) / 20),
        decibel=(gain + shadows * np.clip(share * 3, 0, 1) - edge).astype(np.float32),
        clutter=(static * (bands + reverberation)).astype(np.complex64),
        noise=10 ** (rng.uniform(-36, -24) / 20) * np.linspace(0.4, 1.6, len(ranges))[:, np.newaxis],
    )


def _picture(scanner: _Scanner, pose: Pose, ejected: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One frame, uint8 ``(rows, columns)``."""
    v, r = scanner.tissue.at(pose)
    strength = scanner.strength.copy()
    strength[scanner.blood] *= rng.standard_normal(int(scanner.blood.sum()), np.float32)
    valve = leaflets(scanner.heart, pose, ejected, rng)
    v, r, strength = (np.concatenate(pair) for pair in zip((v, r, strength), valve, strict=True))
    depth, right = scanner.heart.from_heart(v, r, pose)
    look, probe = scanner.look, scanner.probe
    envelope = _envelope(_echoes(depth, right, strength, probe), probe, look, rng)
    decibel = 20 * np.log10(envelope + 1e-6) + look.decibel
    gray = np.clip(255 * (decibel / look.dynamic_range + 1), 1, 255)
    ranges, beams, inside = scanner.places
    picture = np.zeros(probe.shape, np.float32)
    picture[inside] = ndi.map_coordinates(gray, [ranges, beams], order=1, mode="nearest")
    return np.round(picture).astype(np.uint8)


def _echoes(depth: Array, right: Array, strength: Array, probe: _Probe) -> NDArray[np.complex64]:
    """Sum the scatterers with their phase on the grid of ranges and beams."""
    shape = probe.beams
    distance, angle = np.hypot(depth, right), np.arctan2(right, depth)
    row = (distance / RANGE_STEP).astype(np.intp)
    column = ((angle + probe.half_angle) / BEAM_STEP + 0.5).astype(np.intp)
    seen = (row < shape[0]) & (angle > -probe.half_angle) & (column < shape[1])
    place, strength = row[seen] * shape[1] + column[seen], strength[seen]
    phase = (4 * np.pi / WAVELENGTH * distance[seen]).astype(np.float32)
    real, imaginary = (np.bincount(place, strength * turn(phase), shape[0] * shape[1]) for turn in (np.cos, np.sin))
    # A beam of constant angle hears the more scatterers the deeper it is; time gain makes up for it.
    heard = np.sqrt(DENSITY * RANGE_STEP * BEAM_STEP * probe.ranges())
    return ((real + 1j * imaginary).reshape(shape) / heard[:, np.newaxis]).astype(np.complex64)


def _envelope(field: NDArray[np.complex64], probe: _Probe, look: _Look, rng: np.random.Generator) -> Array:
    """Pulse and beam, clutter and noise; then what machines do to calm speckle, and haze from the side lobes."""
    shape, ranges = probe.beams, probe.ranges()[:, np.newaxis]
    axial, lateral = AXIAL / RANGE_STEP, look.beam_width / BEAM_STEP
    field = ndi.gaussian_filter(field, (axial, lateral), mode="nearest", truncate=3)
    # Unit power for unit scatterers: the blur averages 4 pi sigma sigma cells.
    field *= math.sqrt(4 * math.pi * axial * lateral)
    field += look.noise * ndi.gaussian_filter(_complex_noise(shape, rng), (0.7, 0.7)) * 2.5
    # Before its focus the beam is as wide as the probe.
    near = min(round(45 / RANGE_STEP), shape[0])
    wide = ndi.gaussian_filter1d(field[:near], 6.0 * lateral, axis=1, mode="nearest") * 3
    weight = np.exp(-((ranges[:near] * look.beam_width * 12 / APERTURE) ** 2))
    field[:near] = weight * wide + (1 - weight) * field[:near]
    field += look.clutter
    envelope = ndi.gaussian_filter(np.abs(field), (0.5 * axial, 0.5 * lateral), mode="nearest", truncate=3)
    smeared = ndi.gaussian_filter(envelope[::4, ::4], (3, 9), mode="nearest")
    haze = np.repeat(np.repeat(smeared, 4, 0), 4, 1)[: shape[0], : shape[1]]
    return np.asarray(envelope + look.haze * haze)


def _complex_noise(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.complex64]:
    real, imaginary = rng.standard_normal((2, *shape), np.float32)
    return np.asarray((real + 1j * imaginary) / np.float32(math.sqrt(2)), np.complex64)


def _places(probe: _Probe) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Index of range and beam for each pixel inside the sector, and which pixels these are."""
    depth, right = probe.pixels()
    distance, angle = np.hypot(depth, right), np.arctan2(right, depth)
    inside = (distance <= probe.depth) & (np.abs(angle) <= probe.half_angle)
    return distance[inside] / RANGE_STEP - 0.5, (angle[inside] + probe.half_angle) / BEAM_STEP, inside
