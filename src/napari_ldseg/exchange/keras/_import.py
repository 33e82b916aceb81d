"""Import the authors' release from its four Keras files: infer the networks from the layers, then fill them."""

import hashlib
import re
from pathlib import Path
from typing import Any

import torch

from ...checkpoints import Tensor, check_tensors, empty_model, fill_model
from ...config import ModelConfig
from ...errors import CheckpointError, InputError
from ...networks import LDSeg
from ._files import keras_files
from ._hdf5 import read_layers
from ._layers import Piece, Pieces, read_denoiser, read_image_encoder, read_mask_decoder, read_mask_encoder

READERS = {
    "labelEncoder": read_mask_encoder,
    "labelDecoder": read_mask_decoder,
    "imageEncoder": read_image_encoder,
    "denoiser": read_denoiser,
}
STEPS = 15


def import_keras(folder: str | Path, name: str | None = None) -> LDSeg:
    """Read a model in the HDF5 layout of the LDSeg authors' TensorFlow release; TensorFlow is not needed.

    Whether it is 2D or 3D, and all sizes, are read from the layers. The images are fitted to the one size that the
    weights know, with intensities from minimum to maximum; the sampler is the release's (DDIM, 15 steps), which
    re-normalises over whatever is computed together: see ``docs/keras.md``.

    Parameters
    ----------
    folder : str or Path
        Holds ``labelEncoder*``, ``labelDecoder*``, ``imageEncoder*`` and ``denoiser*`` (``.hdf5`` or ``.h5``).
    name : str, optional
        Of the model; by default that of the folder.

    Returns
    -------
    LDSeg
        As from :func:`load_model`; ``card`` names the files and their hashes. Save it by :func:`save_model`.

    Raises
    ------
    CheckpointError
        h5py is missing, or the files are missing, damaged, or no such networks.
    """
    folder = Path(folder)
    files = keras_files(folder)
    pieces: Pieces = {}
    settings: dict[str, Any] = {"family": "release"}
    for (role, path), layers in zip(files.items(), read_layers(list(files.values())), strict=True):
        found, weights = READERS[role](layers, path)
        settings |= found
        pieces |= weights
    config = _config(settings, name or folder.resolve().name, folder)
    model = empty_model(config, str(folder))
    check_tensors({key: _shape(each) for key, each in pieces.items()}, model.state_dict(), str(folder))
    state = {key: torch.cat([torch.from_numpy(piece.read()) for piece in each]) for key, each in pieces.items()}
    fill_model(model, state, str(folder))
    model.card = _card(config, files)
    return model


def _shape(pieces: list[Piece]) -> Tensor:
    """Return what the pieces of one tensor are together, laid end to end along the first axis."""
    shapes = [piece.shape for piece in pieces]
    # Pieces that do not fit together have no shape in common, and so none that is asked for.
    rest = shapes[0][1:] if len({shape[1:] for shape in shapes}) == 1 else ()
    return Tensor(pieces[0].weight.dtype, (sum(shape[0] for shape in shapes), *rest))


def _config(settings: dict[str, Any], name: str, folder: Path) -> ModelConfig:
    """Describe the model in our words; what the files do not say is the release's default."""
    classes, channels = settings["classes"], settings["image_channels"]
    cells, depth = settings["cells"], len(settings["mask_widths"]) - 1
    values = {
        "name": re.sub(r"[^\w .+-]+", "-", name).strip(" .+-")[:80] or "imported",
        "title": f"Imported from the LDSeg authors' Keras release ({settings['ndim']}D)",
        "class_names": ("background", "foreground")
        if classes == 2
        else ("background", *(f"class {index}" for index in range(1, classes))),
        "network": settings,
        "input": {
            "mode": "fit",
            "shape": tuple(side << depth for side in cells),
            "channels": {1: "grayscale", 3: "rgb"}.get(channels, "any"),
            "normalization": "minmax",
        },
        "sampler": "ldseg-release",
        "steps": STEPS,
    }
    try:
        return ModelConfig.parse(values)
    except InputError as error:
        raise CheckpointError(
            f"The networks in {str(folder)!r} are not those of the LDSeg release: {str(error)[:1000]}"
        ) from error


def _card(config: ModelConfig, files: dict[str, Path]) -> str:
    """Say where the weights come from; the same files give the same card."""
    rows = [
        f"| {role} | `{path.name}` | `{hashlib.sha256(path.read_bytes()).hexdigest()}` |"
        for role, path in files.items()
    ]
    return "\n".join(
        [
            f"# {config.name}: imported from Keras",
            "",
            "Weights in the HDF5 layout of the LDSeg authors' TensorFlow release, imported by napari-ldseg. Their "
            "terms are those of whoever trained them. What the model segments, on which data it was trained and how "
            "well it does, the files do not say.",
            "",
            "| network | file | SHA-256 |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )
