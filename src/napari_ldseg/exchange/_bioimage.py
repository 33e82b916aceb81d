"""Write the bioimage.io description (``rdf.yaml``, format 0.5) of an exported model."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from .._util import write_text
from .._version import __version__
from ..config import ModelConfig
from ..networks import LDSeg

FORMAT = "0.5.4"
AXES = "zyx"
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
        "attachments": [
            _file(folder / f"{name}.pt") for name in ("mask_encoder", "mask_decoder", "image_encoder", "denoiser")
        ],
    }
    if license_id is not None:
        description["license"] = license_id
    path = folder / "rdf.yaml"
    write_text(path, yaml.safe_dump(description, sort_keys=False))
    return path


def _notes(config: ModelConfig, samples: int) -> str:
    return (
        "## This export\n\n"
        f"`segmenter.pt` draws {samples} samples of one image ({config.sampler}, {config.steps} steps, built-in "
        "noise) and returns the mean class probabilities and their standard deviation over the samples. It takes "
        "images of one size. `mask_encoder.pt`, `mask_decoder.pt`, `image_encoder.pt` and `denoiser.pt` are the four "
        "networks.\n"
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
    }


def _sizes(path: Path) -> list[tuple[str, int]]:
    shape = np.load(path, mmap_mode="r").shape[2:]
    return list(zip(AXES[-len(shape) :], (int(side) for side in shape), strict=True))


def _file(path: Path) -> dict[str, str]:
    return {"source": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
