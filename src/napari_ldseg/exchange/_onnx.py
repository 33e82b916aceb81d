"""Export the networks as ONNX, and check by onnxruntime that they compute the same."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .._util import optional, replacing
from ..errors import EngineError
from ..networks import LDSeg
from ._torchscript import TOLERANCE, Exported, difference_of, parts

OPSET = 18
INPUTS = {
    "mask_decoder": ("latent",),
    "image_encoder": ("image",),
    "denoiser": ("latent", "timestep", "embedding"),
}
OUTPUTS = {"mask_decoder": "logits", "image_encoder": "embedding", "denoiser": "prediction"}


def export_onnx(model: LDSeg, folder: str | Path) -> list[Exported]:
    """Write image encoder, denoiser and mask decoder as ONNX, for one image of the model's training shape at a time.

    A sampler that calls them in turn is a few lines in any language: docs/exchange.md has one. What the denoiser
    predicts, and on which schedule, is in the model's settings (``diffusion``).

    Parameters
    ----------
    model : LDSeg
    folder : str or Path
        Gets ``image_encoder.onnx``, ``denoiser.onnx`` and ``mask_decoder.onnx``.

    Returns
    -------
    list of Exported
        Each file, run by onnxruntime, with its difference from the model.

    Raises
    ------
    EngineError
        A network cannot be exported, or does not compute what the model does.
    InputError
        The packages of the extra ``onnx`` are missing, or the folder cannot be written.
    """
    for name in ("onnx", "onnxscript", "onnxruntime"):
        optional(name, "ONNX", "onnx")
    model = model.cpu().eval().requires_grad_(False)
    return [
        _export(Path(folder) / f"{name}.onnx", part.eval(), inputs)
        for name, part, inputs in parts(model)
        if name in INPUTS
    ]


@torch.no_grad()
def _export(path: Path, module: nn.Module, inputs: tuple[Tensor, ...]) -> Exported:
    """Write, run by onnxruntime and compare; only then the file takes its place."""
    # It says of each operator of torchvision, which we do not use, that it is missing.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with replacing(path) as partial:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    module,
                    inputs,
                    str(partial),
                    input_names=list(INPUTS[path.stem]),
                    output_names=[OUTPUTS[path.stem]],
                    opset_version=OPSET,
                    external_data=False,
                    verbose=False,
                )
        except Exception as error:  # torch's exporters raise all kinds
            raise EngineError(f"{path.name} cannot be exported as ONNX: {str(error).splitlines()[0]}") from error
        others = tuple(each.roll(1, -1) for each in inputs)
        difference = max(difference_of(_run(partial, given), module(*given)) for given in (inputs, others))
        if not difference <= TOLERANCE:
            raise EngineError(
                f"{path.name} differs from the model by {difference:.1e} of its output and was not written; please "
                "report this with the model's settings."
            )
    return Exported(path, difference)


def _run(path: Path, inputs: Sequence[Tensor]) -> Tensor:
    onnxruntime: Any = optional("onnxruntime", "ONNX", "onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    (found,) = session.run(None, {name: each.numpy() for name, each in zip(names, inputs, strict=True)})
    return torch.from_numpy(found)
