"""Export a model as TorchScript for programs without napari-ldseg, and check that it computes the same."""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from .._util import replacing
from ..diffusion import run_sampler
from ..errors import EngineError, InputError
from ..inference import sample_generator
from ..networks import LDSeg
from ._bioimage import describe_model, draw_cover

SEGMENTER = "segmenter.pt"
TOLERANCE = 1e-4
SAMPLES = 8


@dataclass(frozen=True)
class Exported:
    """One written file, and its difference from the model.

    Attributes
    ----------
    path : Path
    difference : float
        Largest difference from the model's own output, divided by the largest absolute value of that output.
    """

    path: Path
    difference: float


class Part(nn.Module):
    """One function of a model as a module of its own, with the weights of those networks alone that it calls."""

    def __init__(self, function: Callable[..., Tensor], *networks: nn.Module | None):
        super().__init__()
        self.networks = nn.ModuleList(network for network in networks if network is not None)
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        """Call the function."""
        return self.function(*inputs)


class Segmenter(nn.Module):
    """The whole way from one image to the mean and the standard deviation of N samples, with their noise built in.

    Samples are those of :func:`segment` for the same seed, computed as one batch.
    """

    def __init__(self, model: LDSeg, samples: int, seed: int):
        super().__init__()
        # The weights are those of the networks below: to hold the model would be to write what is never called.
        self.__dict__["model"] = model
        self.networks = nn.ModuleList((model.image_encoder, model.denoiser, model.mask_decoder))
        if model.config.network.guess:
            self.networks.append(model.mask_encoder)
        network, steps = model.config.network, model.config.steps
        shape = (network.latent_channels, *(side // network.factor for side in grid_shape(model)))
        generators = [sample_generator(seed, sample) for sample in range(samples)]
        draws = [torch.stack([torch.randn(shape, generator=each) for each in generators]) for _ in range(steps + 1)]
        self.register_buffer("noise", torch.stack(draws))  # (1 + K, N, L, *cells)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map one image (1, C, *S), values 0 to 1, to mean probabilities (1, classes, *S) and SD (1, 1, *S)."""
        model: LDSeg = self.__dict__["model"]
        config = model.config
        noise = self.get_buffer("noise")
        condition = model.condition(model.embed(image)[0])

        def call(latent: Tensor, t: float) -> Tensor:
            return model.predict(latent, torch.full((1,), t), condition)

        injected = noise[1:]
        *_, latent = run_sampler(
            config.sampler, config.steps, call, noise[0], config.diffusion, noise=lambda step: injected[step]
        )
        probabilities = model.decode(latent).softmax(dim=1)  # (N, classes, *S)
        variance = probabilities.var(dim=0, correction=1 if len(probabilities) > 1 else 0)
        return probabilities.mean(dim=0)[None], (variance.sum(dim=0) / 2).sqrt()[None, None]


def grid_shape(model: LDSeg) -> tuple[int, ...]:
    """Return the shape ((Z), Y, X) of the exported networks: that of the training, up to a multiple of the stride."""
    stride = model.config.network.stride
    return tuple(max(-(-side // stride), 2) * stride for side in model.config.input.shape)


def export_model(
    model: LDSeg,
    folder: str | Path,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    authors: tuple[str, ...] = (),
    license_id: str | None = None,
) -> list[Exported]:
    """Write the four networks and the whole segmentation as TorchScript, with a bioimage.io description.

    TorchScript is what bioimage.io's programs run without further packages; :func:`export_onnx` is for others. The
    files are for images of one size, the model's training shape, and each holds the weights that it needs.

    Parameters
    ----------
    model : LDSeg
    folder : str or Path
        Gets ``mask_encoder.pt``, ``mask_decoder.pt``, ``image_encoder.pt`` and ``denoiser.pt``, ``segmenter.pt`` (one
        image to mean probabilities and standard deviation), a test image with its result, ``README.md`` and
        ``rdf.yaml``. Files of these names are replaced.
    samples, seed : int
        Samples that the segmenter draws, and of which seed.
    authors : tuple of str
    license_id : str, optional
        SPDX identifier of the weights' licence, for example ``"CC-BY-4.0"``.

    Returns
    -------
    list of Exported
        Each file, read again and run, with its difference from the model.

    Raises
    ------
    EngineError
        An exported network does not compute what the model does.
    InputError
        The folder cannot be written.
    """
    folder = Path(folder)
    if not 1 <= samples <= 256:
        raise InputError(f"{samples} samples cannot be exported; take between 1 and 256.")
    model = model.cpu().eval().requires_grad_(False)
    written = [_export(folder / f"{name}.pt", part, inputs) for name, part, inputs in parts(model)]
    image = test_image(model)
    segmenter = Segmenter(model, samples, seed).eval()
    written.append(_export(folder / SEGMENTER, segmenter, (image,)))
    with torch.no_grad():
        mean, sd = segmenter(image)
    for name, tensor in (("image", image), ("mean", mean), ("sd", sd)):
        with replacing(folder / f"test_{name}.npy") as partial, partial.open("wb") as file:
            np.save(file, tensor.numpy())
        with replacing(folder / f"sample_{name}.tif") as partial:
            tifffile.imwrite(partial, tensor.numpy(), photometric="minisblack", compression="zlib")
    draw_cover(folder / "cover.png", image.numpy()[0], mean.numpy()[0], sd.numpy()[0, 0])
    describe_model(model, folder, samples=samples, authors=authors, license_id=license_id)
    return written


def parts(model: LDSeg) -> Iterator[tuple[str, nn.Module, tuple[Tensor, ...]]]:
    """Yield each network with inputs to trace it with."""
    network, shape = model.config.network, grid_shape(model)
    generator = torch.Generator().manual_seed(0)
    cells = tuple(side // network.factor for side in shape)
    masks = torch.rand(1, network.classes, *shape, generator=generator).softmax(dim=1)
    latent = torch.randn(1, network.latent_channels, *cells, generator=generator)
    image = test_image(model)
    embedding = model.embed(image)[0]
    yield "mask_encoder", Part(model.encode, model.mask_encoder), (masks,)
    yield "mask_decoder", Part(model.decode, model.mask_decoder), (latent,)
    guesses = model.mask_encoder if network.guess else None
    yield "image_encoder", Part(lambda pixels: model.embed(pixels)[0], model.image_encoder, guesses), (image,)

    def denoise(noisy: Tensor, t: Tensor, known: Tensor) -> Tensor:
        return model.predict(noisy, t, model.condition(known))

    yield "denoiser", Part(denoise, model.denoiser), (latent, torch.tensor([499.0]), embedding)


def test_image(model: LDSeg) -> Tensor:
    """Return smooth coloured blobs, (1, C, *S), values 0 to 1: any image will do, and this one has no owner."""
    shape = grid_shape(model)
    grid = torch.meshgrid(*(torch.linspace(0, 9, side) for side in shape), indexing="ij")
    channels = range(model.config.network.image_channels)
    along = torch.stack(grid).sum(dim=0)
    return torch.stack([(1 + torch.sin(along + c) * torch.cos(grid[-1] - c)) / 2 for c in channels])[None]


@contextmanager
def _as_traced() -> Iterator[None]:
    """Leave out TorchScript's warnings: shapes are meant to be constants, and no successor is read elsewhere yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", TracerWarning)
        yield


@torch.no_grad()
def _export(path: Path, module: nn.Module, inputs: tuple[Tensor, ...]) -> Exported:
    """Trace, write, read again, run and compare; only then the file takes its place."""
    with replacing(path) as partial:
        with _as_traced():
            traced = io.BytesIO()
            torch.jit.save(torch.jit.trace(module.eval(), inputs, check_trace=False), traced)
            partial.write_bytes(traced.getvalue())
            again = torch.jit.load(str(partial))
        # Other numbers than those it was traced with, except an image: a result frozen into the trace would show.
        others = tuple(x.roll(1, -1) for x in inputs)
        difference = max(difference_of(again(*given), module(*given)) for given in (inputs, others))
        if not difference <= TOLERANCE:
            raise EngineError(
                f"{path.name} differs from the model by {difference:.1e} of its output and was not written; please "
                "report this with the model's settings."
            )
    return Exported(path, difference)


def difference_of(found: Tensor | tuple[Tensor, ...], expected: Tensor | tuple[Tensor, ...]) -> float:
    if isinstance(expected, tuple):
        return max(difference_of(a, b) for a, b in zip(found, expected, strict=True))
    assert isinstance(found, Tensor)
    return float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-12))
