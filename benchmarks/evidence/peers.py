"""Put LDSeg and its peers behind one interface: stages of training, and class probabilities of an image.

The peers' networks are MONAI's. Nothing here is part of the product.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from monai.networks.nets import BasicUNetPlusPlus, DiffusionModelUNet, UNet, VNet
from scipy import ndimage
from torch import Tensor, nn

from napari_ldseg.config import ModelConfig, NetworkConfig, TrainConfig
from napari_ldseg.diffusion import alpha_bar, noisy, run_sampler, training_target
from napari_ldseg.networks import LDSeg
from napari_ldseg.training._losses import Batch, autoencoder_loss, cross_entropy, denoiser_loss, dice_loss

Loss = Callable[[Batch, TrainConfig, torch.Generator], Tensor]
MASK_SHARE = 0.12
STEPS = 10
PIXEL_STEPS = 50
# Distances are truncated at this many pixels, as in SDF-DDPM.
FAR = 16.0
CELL = 16


def padded(image: Tensor) -> Tensor:
    """Repeat the border of (N, C, *S) until all sides are multiples of 16, because networks halve up to four times."""
    margins = [part for n in reversed(image.shape[2:]) for part in (0, -n % CELL)]
    return F.pad(image, margins, mode="replicate")


def cut(found: Tensor, image: Tensor) -> Tensor:
    """Crop the margins of a padded image from a result."""
    return found[(..., *(slice(n) for n in image.shape[2:]))]


class Peer(nn.Module):
    """Define what the comparison needs of a method."""

    stochastic = True

    def stages(self) -> Iterator[tuple[float, list[nn.Parameter], Loss]]:
        """Yield for each stage its share of the budget, the trained modules and the loss."""
        raise NotImplementedError

    def probabilities(self, image: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        """Map one image (1, C, *S) to the probabilities of its samples, (samples, classes, *S)."""
        raise NotImplementedError


class Deterministic(Peer):
    """Train a network that maps images to logits with cross-entropy plus Dice."""

    stochastic = False

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def logits(self, image: Tensor) -> Tensor:
        """Return logits (N, classes, *S)."""
        found = self.network(padded(image))
        found = found[0] if isinstance(found, list) else found
        return cut(found, image)

    def stages(self) -> Iterator[tuple[float, list[nn.Parameter], Loss]]:
        """Yield the only stage."""

        def loss(batch: Batch, config: TrainConfig, generator: torch.Generator) -> Tensor:
            del config, generator
            logits = self.logits(batch.images)
            return cross_entropy(logits, batch.masks) + dice_loss(logits, batch.masks)

        yield 1.0, list(self.parameters()), loss

    def probabilities(self, image: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        """Return the softmax, (1, classes, *S); a deterministic network has one answer."""
        del samples, generator
        return self.logits(image).softmax(dim=1)


class Ensemble(Peer):
    """Train several deterministic networks that share the budget."""

    stochastic = False

    def __init__(self, members: list[Deterministic]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def stages(self) -> Iterator[tuple[float, list[nn.Parameter], Loss]]:
        """Train one after the other."""
        for member in self.members:
            for share, parameters, loss in member.stages():
                yield share / len(self.members), parameters, loss

    def probabilities(self, image: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        """Return the mean of the softmaxes, (1, classes, *S)."""
        return torch.stack([member.probabilities(image, samples, generator) for member in self.members]).mean(dim=0)


class Latent(Peer):
    """Train LDSeg: the mask autoencoder (unless the codec has no weights), then image encoder and denoiser."""

    def __init__(self, model: LDSeg, sampler: str):
        super().__init__()
        self.model, self.sampler = model, sampler

    def stages(self) -> Iterator[tuple[float, list[nn.Parameter], Loss]]:
        """Yield the paper's two stages."""
        codec = [*self.model.mask_encoder.parameters(), *self.model.mask_decoder.parameters()]
        rest = [*self.model.image_encoder.parameters(), *self.model.denoiser.parameters()]
        if codec:
            yield MASK_SHARE, codec, lambda *given: autoencoder_loss(self.model, *given)
        yield 1 - MASK_SHARE if codec else 1.0, rest, lambda *given: denoiser_loss(self.model, *given)

    def probabilities(self, image: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        """Sample latents as one batch and decode each."""
        diffusion = self.model.config.diffusion
        embedding, _ = self.model.embed(padded(image))
        condition = self.model.condition(embedding)
        shape = (samples, self.model.config.network.latent_channels, *embedding.shape[2:])

        def call(latent: Tensor, t: float) -> Tensor:
            return self.model.predict(latent, torch.full((1,), t), condition)

        latent = draw(call, shape, self.sampler, STEPS, diffusion, generator)
        return cut(self.model.decode(latent).softmax(dim=1), image)


class PixelDiffusion(Peer):
    """Diffuse the mask itself given the image, pixel by pixel.

    ``codec`` "mask" diffuses class masks (the idea of MedSegDiff, Wu et al. 2022), "distance" truncated signed
    distances to each class (that of SDF-DDPM, Bogensperger et al. 2023).
    """

    def __init__(self, config: ModelConfig, codec: str, steps: int):
        super().__init__()
        self.codec, self.config, self.steps = codec, config, steps
        network = config.network
        self.network = DiffusionModelUNet(
            network.ndim,
            network.classes - 1 + network.image_channels,
            network.classes - 1,
            num_res_blocks=1,
            channels=(32, 64, 96, 128),
            attention_levels=(False, False, False, True),
            norm_num_groups=8,
            num_head_channels=32,
        )

    def encode(self, masks: Tensor) -> Tensor:
        """Map class shares (N, classes, *S) to what is diffused, (N, classes - 1, *S), values -1 to 1."""
        if self.codec == "mask":
            return 2 * masks[:, 1:] - 1
        inside = (masks[:, 1:] > 0.5).numpy()
        distances = [
            torch.from_numpy(ndimage.distance_transform_edt(each) - ndimage.distance_transform_edt(~each))
            for each in inside.reshape(-1, *inside.shape[2:])
        ]
        return (torch.stack(distances).reshape(inside.shape).float() / FAR).clamp(-1, 1)

    def stages(self) -> Iterator[tuple[float, list[nn.Parameter], Loss]]:
        """Yield the only stage: the squared error of the noise."""
        diffusion = self.config.diffusion

        def loss(batch: Batch, config: TrainConfig, generator: torch.Generator) -> Tensor:
            del config
            clean = self.encode(batch.complete)
            n = len(clean)
            t = (torch.randperm(n, generator=generator) + torch.rand(1, generator=generator)) / n
            t = t * (diffusion.timesteps - 1)
            abar = alpha_bar(t, diffusion.schedule, diffusion.timesteps)
            noise = torch.randn(clean.shape, generator=generator)
            output = self.network(torch.cat([noisy(clean, noise, abar), 2 * batch.images - 1], dim=1), t)
            return F.mse_loss(output.float(), training_target(diffusion.prediction, clean, noise, abar))

        yield 1.0, list(self.parameters()), loss

    def probabilities(self, image: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        """Sample masks one by one, because a batch would not fit into memory."""
        network, whole = self.config.network, padded(image)

        def call(mask: Tensor, t: float) -> Tensor:
            return self.network(torch.cat([mask, 2 * whole - 1], dim=1), torch.full((1,), t))

        shape = (1, network.classes - 1, *whole.shape[2:])
        found = []
        for _ in range(samples):
            mask = draw(call, shape, "ddim", self.steps, self.config.diffusion, generator)
            found.append(F.one_hot(torch.cat([torch.zeros_like(mask[:, :1]), mask], dim=1).argmax(1), network.classes))
        return cut(torch.cat(found).float().movedim(-1, 1), image)


def draw(
    call: Callable[[Tensor, float], Tensor],
    shape: tuple[int, ...],
    sampler: str,
    steps: int,
    diffusion: object,
    generator: torch.Generator,
) -> Tensor:
    """Return clean samples of a denoiser."""
    *_, clean = run_sampler(
        sampler,
        steps,
        call,
        torch.randn(shape, generator=generator),
        diffusion,
        noise=lambda _: torch.randn(shape, generator=generator),
    )
    return clean


class NearestDown(nn.Module):
    """Replace an encoder as in the paper's Table V: nearest-neighbour down-sampling, values -1 to 1."""

    def __init__(self, factor: int, *, image: bool):
        super().__init__()
        self.factor, self.image = factor, image

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, None]:
        """Map (N, C, *S) to (N, C, *S / factor)."""
        small = 2 * F.interpolate(x, [side // self.factor for side in x.shape[2:]], mode="nearest-exact") - 1
        return (small, None) if self.image else small


class NearestUp(nn.Module):
    """Replace the mask decoder: nearest-neighbour up-sampling to logits."""

    def __init__(self, factor: int):
        super().__init__()
        self.factor = factor

    def forward(self, latent: Tensor) -> Tensor:
        """Map (N, classes, *S / factor) to (N, classes, *S)."""
        return 4 * F.interpolate(latent, [side * self.factor for side in latent.shape[2:]], mode="nearest-exact")


def ldseg(config: ModelConfig, *, masks: bool = True, images: bool = True) -> Latent:
    """Return LDSeg in the paper's setting, optionally without mask autoencoder or image encoder."""
    given = config.network
    network = NetworkConfig(
        ndim=given.ndim,
        image_channels=given.image_channels,
        classes=given.classes,
        latent_channels=1 if masks else given.classes,
        embedding_channels=1 if images else given.image_channels,
    )
    diffusion = config.diffusion.replace(prediction="epsilon")
    model = LDSeg(config.replace(network=network.model_dump(), diffusion=diffusion.model_dump()))
    if not masks:
        model.mask_encoder, model.mask_decoder = NearestDown(network.factor, image=False), NearestUp(network.factor)
    if not images:
        model.image_encoder = NearestDown(network.factor, image=True)
    return Latent(model, "ddpm")


def rich(config: ModelConfig) -> Latent:
    """Return LDSeg in the setting of the released model, without pretrained weights."""
    network = config.network.replace(image_backbone=None)
    return Latent(LDSeg(config.replace(network=network.model_dump())), config.sampler)


def peers(config: ModelConfig, pixel_steps: int) -> dict[str, Callable[[], Peer]]:
    """Return a factory for each method of the comparison, by name."""
    ndim, channels, classes = config.network.ndim, config.network.image_channels, config.network.classes
    widths = (16, 32, 64, 128, 256)

    def unet(residual: int) -> Deterministic:
        return Deterministic(UNet(ndim, channels, classes, widths, (2, 2, 2, 2), num_res_units=residual))

    def vnet() -> Deterministic:
        # MONAI's V-Net wants a number of channels that divides 16.
        lift = (nn.Conv2d if ndim == 2 else nn.Conv3d)(channels, 4, 1)
        network = VNet(ndim, 4, classes, dropout_prob_down=0.0, dropout_prob_up=(0.0, 0.0))
        return Deterministic(nn.Sequential(lift, network))

    return {
        "U-Net": lambda: unet(0),
        "V-Net": vnet,
        "U-Net++": lambda: Deterministic(BasicUNetPlusPlus(ndim, channels, classes, (16, 16, 32, 64, 128, 16))),
        "Res-UNet": lambda: unet(2),
        "five Res-UNets, a fifth of the budget each": lambda: Ensemble([unet(2) for _ in range(5)]),
        "pixel diffusion of masks": lambda: PixelDiffusion(config, "mask", pixel_steps),
        "pixel diffusion of signed distances": lambda: PixelDiffusion(config, "distance", pixel_steps),
        "LDSeg, the paper's setting": lambda: ldseg(config),
        "LDSeg without mask autoencoder": lambda: ldseg(config, masks=False),
        "LDSeg without image encoder": lambda: ldseg(config, images=False),
        "LDSeg without either": lambda: ldseg(config, masks=False, images=False),
        "LDSeg, the released setting": lambda: rich(config),
    }
