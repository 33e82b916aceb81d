"""The shape of the networks: ours, and those of the authors' implementation."""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from ._base import Config

BACKBONE_STRIDE = 32


class FamilyConfig(Config):
    """What the networks of every family state: the shapes of image, mask, latent and embedding."""

    ndim: Literal[2, 3] = Field(2, description="Spatial dimensions of images and masks.")
    image_channels: int = Field(3, ge=1, le=64, description="Channels of the image.")
    classes: int = Field(2, ge=2, le=255, description="Classes of the mask, background included.")
    latent_channels: int = Field(1, ge=1, le=64, description="Channels of the latent m0.")
    embedding_channels: int = Field(1, ge=1, le=512, description="Channels of the image embedding.")

    @property
    def downsamplings(self) -> int:
        """How many times the mask encoder and the image encoder halve the grid."""
        raise NotImplementedError

    @property
    def factor(self) -> int:
        """Pixels along one side of a latent cell."""
        return 1 << self.downsamplings

    @property
    def stride(self) -> int:
        """Pixels along one side of a cell of the image encoder's coarsest grid: images and tiles hold whole ones."""
        return self.factor


class NetworkConfig(FamilyConfig):
    """The shape of our four networks; the number of down-samplings is the number of widths."""

    latent_norm: Literal["layer", "channel"] = Field(
        "layer",
        description="Layer-norm at the mask encoder's end: over the whole latent as in the paper ('layer'), "
        "or over the channels of each cell ('channel'), which does not depend on the size of the image.",
    )
    mask_widths: tuple[int, ...] = Field((16, 32, 64, 64), description="Widths of the mask encoder's stages.")
    decoder_widths: tuple[int, ...] = Field(
        (64, 64, 32, 32),
        description="Widths of the mask decoder's stages, the coarsest first: one per up-sampling that is a stage.",
    )
    decoder_shuffle: Literal[0, 1, 2] = Field(
        0, description="How many of the last up-samplings are one pixel shuffle instead of a stage."
    )

    image_widths: tuple[int, ...] = Field((16, 32, 64, 32), description="Widths of the image encoder's stages.")
    image_blocks: int = Field(1, ge=1, le=8, description="Residual blocks in each stage of the image encoder.")
    image_attention: bool = Field(False, description="Self-attention at the image encoder's coarsest stage.")
    image_refine: int = Field(
        0,
        ge=0,
        description="Stages that the image encoder climbs back with skips before it folds to the latent's size.",
    )
    image_backbone: Literal["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"] | None = Field(
        None,
        description="The image encoder's way down, instead of residual blocks; image_widths are then those of the "
        "climb back. With four or five down-samplings.",
    )
    guess: bool = Field(
        False,
        description="Also condition on the latent of a first-guess mask that the image encoder predicts.",
    )
    residual_sd: float = Field(
        0.0,
        ge=0,
        le=4,
        description="SD of the latent about that of the first guess. Above 0 the denoiser predicts a correction of the "
        "guess, scaled by it; with 0 the guess is a condition like any other.",
    )
    prompt_widths: tuple[int, ...] = Field(
        (),
        description="Widths of the prompt encoder's stages, one per down-sampling; empty: the model takes no prompts.",
    )
    prompt_blocks: int = Field(
        0,
        ge=0,
        le=8,
        description="Above 0 prompts correct the latent of the first guess, by so many residual blocks that see the "
        "image, too; with 0 they add to what the denoiser knows.",
    )

    denoiser_widths: tuple[int, ...] = Field((32, 64, 128), description="Widths of the denoiser's levels.")
    denoiser_attention: tuple[bool, ...] = Field(
        (False, True, True), description="Which of the denoiser's levels have self-attention."
    )
    denoiser_blocks: int = Field(2, ge=1, le=8, description="Residual blocks in each level of the denoiser.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout in residual blocks while training.")

    @property
    def downsamplings(self) -> int:
        """How many times the mask encoder and the image encoder halve the grid."""
        return len(self.mask_widths)

    @property
    def stride(self) -> int:
        """A backbone goes down to 1/32, whatever the latent's grid."""
        return self.factor if self.image_backbone is None else max(self.factor, BACKBONE_STRIDE)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        depth = self.downsamplings
        if not 1 <= depth <= 6:
            raise ValueError("between 1 and 6 down-samplings are supported")
        if len(self.image_widths) != depth:
            raise ValueError("image_widths needs as many entries as mask_widths")
        if self.decoder_shuffle >= depth or len(self.decoder_widths) != depth - self.decoder_shuffle:
            raise ValueError("decoder_widths needs one entry per down-sampling, less decoder_shuffle")
        if len(self.denoiser_widths) != len(self.denoiser_attention) or not 1 <= len(self.denoiser_widths) <= 6:
            raise ValueError("denoiser_widths needs one to six levels, and denoiser_attention one entry for each")
        if self.image_refine >= depth:
            raise ValueError("image_refine must be smaller than the number of down-samplings")
        if self.image_backbone is not None and depth not in (4, 5):
            raise ValueError("image_backbone needs four or five down-samplings")
        if self.residual_sd and not self.guess:
            raise ValueError("residual_sd needs a first guess (guess)")
        if len(self.prompt_widths) not in (0, depth):
            raise ValueError("prompt_widths needs as many entries as mask_widths, or none")
        if self.prompt_blocks and not (self.prompt_widths and self.guess):
            raise ValueError("prompt_blocks needs prompt_widths and a first guess (guess)")
        widths = self.mask_widths + self.decoder_widths + self.image_widths + self.denoiser_widths + self.prompt_widths
        if min(widths) < 1:
            raise ValueError("every width must be positive")
        if max(widths) > 2048:
            raise ValueError("no width may exceed 2048")
        if self.latent_norm == "channel" and self.latent_channels < 2:
            raise ValueError("latent_norm 'channel' needs at least two latent channels")
        return self


class AuthorsConfig(FamilyConfig):
    """The networks of the authors' TensorFlow implementation. Its 2D and 3D versions differ in more than the dimension.

    One latent size, and so one image size, is part of the weights: the layer-norm at the end of the mask encoder has
    a scale for each cell.
    """

    family: Literal["release"] = "release"  # as stored in model files
    cells: tuple[int, ...] = Field((16, 16), description="Shape ((Z), Y, X) of the latent.")

    mask_widths: tuple[int, ...] = Field(
        (16, 32, 64, 64, 32), description="Widths of the mask encoder's blocks, with a down-sampling between each two."
    )
    mask_down: Literal["pool", "conv"] = Field("pool", description="Max-pooling, or a strided convolution.")
    mask_head: Literal[1, 2, 3] = Field(1, description="Kernel of the mask encoder's last convolution.")
    decoder_widths: tuple[int, ...] = Field((32, 64, 64, 32), description="Widths of the mask decoder's stages.")
    decoder_up: Literal["transpose", "nearest"] = Field(
        "transpose", description="Transposed convolution, or nearest-neighbour up-sampling and a convolution."
    )

    image_stem: int = Field(16, description="Width of the image encoder's first convolution.")
    image_widths: tuple[int, ...] = Field((32, 64, 64, 32), description="Widths of the image encoder's stages.")
    image_groups: int = Field(1, ge=1, le=64, description="Groups of the convolutions in the image encoder's blocks.")
    image_down: Literal["pool", "conv"] = Field("conv", description="Max-pooling, or a strided convolution.")
    image_heads: tuple[int, ...] = Field(
        (0, 0, 8, 8), description="Heads of the self-attention after each stage of the image encoder; 0: none."
    )
    image_head: Literal[1, 3] = Field(1, description="Kernel of the convolution that makes the embedding.")
    embedding_heads: int = Field(1, ge=0, le=64, description="Heads of the self-attention on the embedding; 0: none.")
    embedding_swish: bool = Field(True, description="Whether the embedding is activated before its batch-norm.")

    denoiser_stem: int = Field(16, description="Width of the denoiser's first convolution.")
    denoiser_widths: tuple[int, ...] = Field((16, 32, 64), description="Widths of the denoiser's levels.")
    denoiser_attention: tuple[bool, ...] = Field(
        (False, True, True), description="Which of the denoiser's levels have self-attention."
    )
    denoiser_blocks: int = Field(2, ge=1, le=8, description="Residual blocks in each level on the way down.")
    denoiser_skips: Literal["all", "blocks"] = Field(
        "all", description="Skips from the first convolution and the down-samplings, too, or from blocks alone."
    )
    time_channels: int = Field(64, ge=4, le=2048, description="Channels of the time embedding.")

    @property
    def downsamplings(self) -> int:
        """How many times the mask encoder and the image encoder halve the grid."""
        return len(self.mask_widths) - 1

    @property
    def guess(self) -> bool:
        """The authors' networks have no auxiliary head."""
        return False

    @property
    def residual_sd(self) -> float:
        """And so no correction of it."""
        return 0.0

    @property
    def prompt_widths(self) -> tuple[int, ...]:
        """The release takes no prompts."""
        return ()

    @property
    def prompt_blocks(self) -> int:
        """And so corrects nothing by them."""
        return 0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        depth = self.downsamplings
        if not 1 <= depth <= 6:
            raise ValueError("between 1 and 6 down-samplings are supported")
        if not len(self.decoder_widths) == len(self.image_widths) == len(self.image_heads) == depth:
            raise ValueError("decoder_widths, image_widths and image_heads need one entry per down-sampling")
        if len(self.denoiser_widths) != len(self.denoiser_attention) or not 1 <= len(self.denoiser_widths) <= 6:
            raise ValueError("denoiser_widths needs one to six levels, and denoiser_attention one entry for each")
        widths = (self.image_stem, self.denoiser_stem, *self.mask_widths, *self.decoder_widths)
        if not all(1 <= width <= 2048 for width in widths + self.image_widths + self.denoiser_widths):
            raise ValueError("every width must lie between 1 and 2048")
        if any(width % self.image_groups for width in (self.image_stem, *self.image_widths)):
            raise ValueError("image_groups must divide the widths of the image encoder")
        attending = zip(
            (*self.image_heads, self.embedding_heads), (*self.image_widths, self.embedding_channels), strict=True
        )
        if any(heads < 0 or (heads and width % heads) for heads, width in attending):
            raise ValueError("the heads of an attention must divide its width")
        if len(self.cells) != self.ndim or not all(1 <= side <= 512 for side in self.cells):
            raise ValueError(f"cells needs {self.ndim} numbers between 1 and 512")
        return self


def _family(network: Any) -> str:
    """Return which of the two kinds of network settings these are, given or decoded from JSON."""
    named = network.get("family") if isinstance(network, dict) else getattr(network, "family", None)
    return "release" if named == "release" else "ldseg"


AnyNetworkConfig = Annotated[
    Annotated[NetworkConfig, Tag("ldseg")] | Annotated[AuthorsConfig, Tag("release")], Discriminator(_family)
]
