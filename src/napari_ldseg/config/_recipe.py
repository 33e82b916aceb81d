"""The settings of the denoiser's training data: noise levels, first guesses, prompts, and scanner effects."""

from typing import Literal

from ._base import Config
from ._setting import setting

NOISE_LEVELS = "Noise levels"
FIRST_GUESS = "First guess"
PROMPTS = "Prompts"
SCANNERS = "Scanners"

Scanner = Literal["any", "mri", "ultrasound"]


class RecipeConfig(Config):
    """The part of a training's settings that describes its crops and its loss."""

    residual_sd: float | None = setting(
        None,
        title="Residual SD",
        group=NOISE_LEVELS,
        ge=0,
        le=4,
        description="Fine-tuning makes the denoiser predict a correction of the first guess, whose latent the truth's "
        "lies about with this SD (0.2 to 0.6); by default the model stays as it is.",
    )
    timestep_shift: float = setting(
        1.0,
        title="Timestep shift",
        group=NOISE_LEVELS,
        gt=0,
        le=100,
        description="Above 1 more of the noise levels are high ones, where most is decided: half of them lie above "
        "shift / (1 + shift) of the whole range.",
    )
    decoded_weight: float = setting(
        0.0,
        title="Decoded weight",
        group=NOISE_LEVELS,
        ge=0,
        description="Weight of the cross-entropy of the decoded estimate of the clean latent.",
    )
    decoded_share: float = setting(
        0.25,
        title="Decoded share",
        group=NOISE_LEVELS,
        ge=0,
        le=1,
        description="Share of the noise levels, all in the noisier half, on which that cross-entropy is computed.",
    )
    recycle: float = setting(
        0.0,
        title="Recycled share",
        group=NOISE_LEVELS,
        ge=0,
        le=1,
        description="Share of the noise levels at which the denoiser sees its own noised estimate, not the truth's.",
    )

    guess_dice: float = setting(
        1.0,
        title="Dice weight",
        group=FIRST_GUESS,
        ge=0,
        description="Weight of the Dice loss beside the cross-entropy of the first guess; 0 makes the guess a "
        "probability, as several raters want it.",
    )
    guess_damage: float = setting(
        0.0,
        title="Damaged share",
        group=FIRST_GUESS,
        ge=0,
        le=1,
        description="Share of the crops for which the first guess that the denoiser sees is damaged: objects erased "
        "and added, borders moved.",
    )
    guess_noise: float = setting(
        0.0,
        title="Guess noise",
        group=FIRST_GUESS,
        ge=0,
        description="Highest SD of the noise on the latent of a damaged guess.",
    )
    guess_drop: float = setting(
        0.0,
        title="Dropped guesses",
        group=FIRST_GUESS,
        ge=0,
        le=1,
        description="Share of the crops in which the denoiser does not see the first guess.",
    )
    embedding_drop: float = setting(
        0.0,
        title="Dropped embedding",
        group=FIRST_GUESS,
        ge=0,
        le=1,
        description="Share of the crops in which the denoiser does not see part of the embedding.",
    )

    prompt_share: float = setting(
        0.75,
        title="Prompted share",
        show="more",
        group=PROMPTS,
        ge=0,
        le=1,
        description="Share of the crops with simulated prompts, for models that take prompts.",
    )
    prompt_count: int = setting(
        8,
        title="Most prompts",
        show="more",
        group=PROMPTS,
        ge=1,
        le=64,
        description="The most simulated prompts in a crop.",
    )
    cached_views: int = setting(
        4,
        title="Cached views",
        group=PROMPTS,
        ge=1,
        le=64,
        description="Views of each image that are embedded for learn 'prompts': the image as it is, then augmented and "
        "mirrored ones in turn.",
    )

    noise: float = setting(
        0.0,
        title="Image noise",
        group=SCANNERS,
        ge=0,
        le=1,
        description="Highest SD of the noise that is added to every second crop, of intensities 0 to 1.",
    )
    degrade: float = setting(
        0.0,
        title="Degraded share",
        group=SCANNERS,
        ge=0,
        le=1,
        description="Chance of each of low resolution, uneven brightness and missing parts in a crop.",
    )
    scanner: Scanner = setting(
        "any",
        title="Scanner",
        group=SCANNERS,
        description="What the noise is like: 'mri' adds Rician noise, 'ultrasound' speckle, which comes with a loss of "
        "brightness in depth.",
    )
    zoom: float = setting(
        0.35,
        title="Zoom",
        group=SCANNERS,
        ge=0,
        le=2,
        description="How far crops are scaled, as a natural logarithm: 0.35 is a factor of 1.4.",
    )
    restain: float = setting(
        0.3,
        title="Restained share",
        group=SCANNERS,
        ge=0,
        le=1,
        description="Share of the crops whose colours are mixed anew.",
    )
