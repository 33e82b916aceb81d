"""Time other implementations on the same inputs and in the same run, for ``speed.py peers``."""

from collections.abc import Callable, Iterator

import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor, nn

from napari_ldseg.checkpoints import autocast, load_model
from napari_ldseg.config import Precision, SegmentConfig
from napari_ldseg.data import Image
from napari_ldseg.networks import LDSeg
from napari_ldseg.plan._tiles import tile_sides

from ..evidence.peers import PIXEL_STEPS, Latent, PixelDiffusion
from ..evidence.res_unet import WIDTHS
from .run import Sizes, measure, network, picture, timed, typical

# A longer loop is not run; its time is extrapolated from fewer samples.
LONG = 60.0
OURS = "segment()"


def whole(sizes: Sizes) -> Iterator[dict]:
    """Time a small image: with segment(), and with the same and other networks in plain PyTorch and float32."""
    shape = sizes.shapes["glas"]
    size = " x ".join(map(str, shape))
    image = picture((*shape, 3), "yxc")
    model, plain = network("glas", shape), network("glas", shape)
    latent, tensor = Latent(plain, plain.config.sampler), as_tensor(image)
    ours: dict[int, float] = {}
    theirs: dict[int, float] = {}
    for n in sizes.samples:
        ours[n] = measure(model, image, SegmentConfig(samples=n, device="cpu"), sizes.enough)["seconds"]
        yield row(size, n, OURS, ours[n], ours[n])
        few = max(theirs, default=n)
        if few < n and theirs[few] * n / few > LONG:
            theirs[n], how = theirs[few] * n / few, f"{few} samples, x {n / few:g}"
        else:
            theirs[n], how = seconds(lambda n=n: loop(latent, tensor, n), sizes.enough), "all"
        yield row(size, n, "the same network, a loop over samples", theirs[n], ours[n], how)
    unet = res_unet(plain)
    millions = sum(p.numel() for p in unet.parameters()) / 1e6
    for precision in ("float32", "auto"):
        took = seconds(lambda precision=precision: once(unet, tensor, precision), sizes.enough)
        what = f"Res-UNet of {millions:.1f} million parameters, one pass, precision {precision}"
        yield row(size, 1, what, took, ours[1])
    pixels = PixelDiffusion(plain.config, "mask", 2).eval()
    took = seconds(lambda: once(sampler(pixels), tensor), sizes.enough) / 2 * PIXEL_STEPS
    yield row(size, 1, f"pixel diffusion (MONAI), K = {PIXEL_STEPS}", took, ours[1], f"2 steps, x {PIXEL_STEPS // 2}")


def tiled(sizes: Sizes) -> Iterator[dict]:
    """Time a large image in tiles of the same side and overlap, with segment() and with MONAI."""
    model, plain = load_model("glas"), load_model("glas")
    given = model.config.input
    image = picture((sizes.tiled, sizes.tiled, 3), "yxc").replace(spacing=given.spacing, unit=given.unit)
    tile, shared = tile_sides(model.config, sizes.tiles)
    inferer = SlidingWindowInferer(tile, overlap=[a / b for a, b in zip(shared, tile, strict=True)], mode="gaussian")
    sample = sampler(Latent(plain, plain.config.sampler))
    theirs = seconds(lambda: once(lambda x: inferer(x, sample), as_tensor(image)), sizes.enough)
    size = f"{sizes.tiled} x {sizes.tiled}, in tiles"
    for n in (1, 4):
        ours = measure(model, image, sizes.tiles.replace(samples=n), sizes.enough)["seconds"]
        yield row(size, n, OURS, ours, ours)
        how = "all" if n == 1 else f"1 sample, x {n}"
        yield row(size, n, "MONAI SlidingWindowInferer, the same network", theirs * n, ours, how)


def row(size: str, samples: int, what: str, took: float, ours: float, how: str = "all") -> dict:
    """Return a row of the table."""
    share = took / ours
    return {"input": size, "N": samples, "what": what, "seconds": took, f"times {OURS}": share, "timed": how}


def seconds(call: Callable[[], object], enough: float) -> float:
    """Return the seconds of a typical run."""
    return typical(lambda: timed(call), enough)["seconds"]


def as_tensor(image: Image) -> Tensor:
    """Map an RGB image to (1, 3, Y, X), values 0 to 1."""
    return torch.from_numpy(image.array).movedim(-1, 0)[None].float() / 255


def sampler(peer: Latent | PixelDiffusion) -> Callable[[Tensor], Tensor]:
    """Return a function that draws one sample, from the image to its probabilities."""
    generator = torch.Generator().manual_seed(0)
    return lambda image: peer.probabilities(image, 1, generator)


@torch.inference_mode()
def once(call: Callable[[Tensor], object], tensor: Tensor, precision: Precision = "float32") -> None:
    """Call without gradients."""
    with autocast(tensor.device, precision):
        call(tensor)


@torch.inference_mode()
def loop(latent: Latent, image: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Return mean and SD of samples drawn one by one."""
    sample = sampler(latent)
    drawn = torch.cat([sample(image) for _ in range(samples)])
    return drawn.mean(dim=0), drawn.std(dim=0, correction=0)


def res_unet(model: LDSeg) -> nn.Module:
    """Return the deterministic baseline of ``res_unet.py``, untrained, in its fastest memory format."""
    wide = model.config.network.replace(image_widths=WIDTHS, guess=True)
    baseline = LDSeg(model.config.replace(network=wide.model_dump())).eval()
    return baseline.image_encoder.to(memory_format=torch.channels_last)
