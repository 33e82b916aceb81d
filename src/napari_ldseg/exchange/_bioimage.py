"""Write the bioimage.io description (``rdf.yaml``, format 0.5) of an exported model."""

import hashlib
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
import yaml
from numpy.typing import NDArray

from .._util import optional, replacing, write_text
from .._version import __version__
from ..config import ModelConfig
from ..networks import LDSeg

FORMAT = "0.5.4"
AXES = "zyx"
COVER_HEIGHT = 256
UNITS = {"micrometer", "nanometer", "millimeter", "centimeter", "meter"}
CITE = {
    "text": "Zaman et al., Latent Diffusion for Medical Image Segmentation (LDSeg)",
    "doi": "10.48550/arXiv.2407.12952",
}


def describe_model(
    model: LDSeg, folder: Path, *, samples: int, authors: tuple[str, ...], license_id: str | None
) -> Path:
    """Write ``README.md`` and ``rdf.yaml`` for the files that :func:`export_model` put into a folder."""
    config = model.config
    card = model.card or f"# {config.name}\n\n{config.title or 'A model without a card.'}\n"
    write_text(folder / "README.md", f"{card}\n{_notes(config, samples)}")
    description = {
        "format_version": FORMAT,
        "type": "model",
        "name": f"LDSeg {config.name}".replace("+", " ")[:128],
        "description": (config.title or "Latent diffusion segmentation with uncertainty")[:1024],
        "authors": [{"name": name} for name in authors or ("unknown",)],
        "cite": [CITE],
        "tags": ["segmentation", "diffusion", "uncertainty", "napari-ldseg", f"{config.network.ndim}d"],
        "documentation": "README.md",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": {"napari_ldseg": {"version": __version__, "model_sha256": model.sha256}},
        "inputs": [_image(config, folder)],
        "outputs": [
            _output("mean", "Mean class probabilities over the samples", list(config.class_names), config, folder),
            _output("sd", "Standard deviation over the samples: the uncertainty", ["sd"], config, folder),
        ],
        "weights": {
            "torchscript": {
                **_file(folder / "segmenter.pt"),
                "pytorch_version": torch.__version__.split("+")[0],
            }
        },
        "covers": ["cover.png"],
    }
    if license_id is not None:
        description["license"] = license_id
    path = folder / "rdf.yaml"
    write_text(path, yaml.safe_dump(description, sort_keys=False))
    return path


def draw_cover(path: Path, image: NDArray[np.float32], mean: NDArray[np.float32], sd: NDArray[np.float32]) -> None:
    """Draw image (C, *S), mean probability of what is not background, and SD (*S) side by side; of volumes a slice."""
    tiles = [image[:3] if len(image) >= 3 else image[:1].repeat(3, axis=0)]
    tiles += [np.stack([tile] * 3) for tile in (1 - mean[0], sd / max(float(sd.max()), 1e-6))]
    flat = [tile if tile.ndim == 3 else tile[:, tile.shape[1] // 2] for tile in tiles]
    picture = PIL.Image.fromarray((np.concatenate(flat, axis=2).clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0))
    times = max(1, COVER_HEIGHT // picture.height)
    picture = picture.resize((picture.width * times, picture.height * times), PIL.Image.Resampling.NEAREST)
    with replacing(path) as partial:
        picture.save(partial, format="png")


def package(folder: str | Path, path: str | Path) -> Path:
    """Pack an exported folder as one file that bioimage.io, DeepImageJ and ilastik take.

    Parameters
    ----------
    folder : str or Path
        What :func:`export_model` wrote.
    path : str or Path
        Ending in ``.zip``.

    Raises
    ------
    InputError
        bioimageio.spec is not installed, or finds a fault in the description.
    """
    spec = optional("bioimageio.spec", "A bioimage.io package", "bioimageio")
    path = Path(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a public upload should have more, such as a maintainer
        found = spec.load_model_description(Path(folder) / "rdf.yaml", perform_io_checks=True)
        with replacing(path) as partial:
            spec.save_bioimageio_package(found, output_path=partial)
    return path


def _notes(config: ModelConfig, samples: int) -> str:
    return (
        "## This export\n\n"
        f"`segmenter.pt` draws {samples} samples of one image ({config.sampler}, {config.steps} steps, built-in "
        "noise) and returns the mean class probabilities and their standard deviation over the samples. It takes "
        "images of one size. `mask_encoder.pt`, `mask_decoder.pt`, `image_encoder.pt` and `denoiser.pt` are the four "
        "networks.\n\n"
        "## Validation\n\n"
        "Run it on annotated images that it has not seen, and compare: `napari-ldseg segment IMAGES --model MODEL "
        "--out OUT`, then `napari-ldseg evaluate OUT REFERENCES` gives Dice, distances, and whether the SD map finds "
        "the errors. The test tensors tell whether a program computes what the model does.\n"
    )


def _image(config: ModelConfig, folder: Path) -> dict[str, Any]:
    """Describe the input, already normalised to 0..1 in the test image, which minimum to maximum leaves alone."""
    channels = config.network.image_channels
    names = ["red", "green", "blue"] if config.input.channels == "rgb" else [f"channel{i}" for i in range(channels)]
    spacing = config.input.spacing if config.input.unit in UNITS else None
    space = [
        {"type": "space", "id": axis, "size": size}
        | ({"unit": config.input.unit, "scale": spacing[index]} if spacing else {})
        for index, (axis, size) in enumerate(_sizes(folder / "test_image.npy"))
    ]
    return {
        "id": "image",
        "description": "Image, intensities 0 to 1"
        + (" (8-bit values divided by 255)" * (config.input.normalization == "range")),
        "axes": [{"type": "batch", "size": 1}, {"type": "channel", "channel_names": names}, *space],
        "data": {"type": "float32", "range": [0.0, 1.0]},
        "test_tensor": _file(folder / "test_image.npy"),
        "sample_tensor": _file(folder / "sample_image.tif"),
    }


def _output(name: str, text: str, channels: list[str], config: ModelConfig, folder: Path) -> dict[str, Any]:
    path = folder / f"test_{name}.npy"
    names = [channel.replace(" ", "_") for channel in channels]
    space = [{"type": "space", "id": axis, "size": size} for axis, size in _sizes(path)]
    return {
        "id": name,
        "description": text,
        "axes": [{"type": "batch", "size": 1}, {"type": "channel", "channel_names": names}, *space],
        "data": {"type": "float32"},
        "test_tensor": _file(path),
        "sample_tensor": _file(folder / f"sample_{name}.tif"),
    }


def _sizes(path: Path) -> list[tuple[str, int]]:
    shape = np.load(path, mmap_mode="r").shape[2:]
    return list(zip(AXES[-len(shape) :], (int(side) for side in shape), strict=True))


def _file(path: Path) -> dict[str, str]:
    return {"source": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
