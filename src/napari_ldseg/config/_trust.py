"""How far the maps of a model are to be trusted: what was measured on cases that it had not seen."""

import math
from typing import Self

from pydantic import Field, model_validator

from ._base import Config


class TrustConfig(Config):
    """What a model's file says of its map, chosen on held-out cases; the defaults leave the map as it is."""

    guess_weight: float = Field(
        0.0, ge=0, le=1, description="Share of the first guess in the map that is shown; the rest is the samples' mean."
    )
    guess_scales: tuple[float, ...] = Field(
        (),
        description="Other pixel sizes at which the guess is made, too, as multiples of the model's (2D, mode "
        "'spacing').",
    )
    denoise_above: float | None = Field(
        None,
        gt=0,
        description="SD of the noise, on intensities of 0 to 1, above which an image is smoothed first; None: never.",
    )

    ood_limits: tuple[float, float] | None = Field(
        None,
        description="Out-of-distribution scores: up to the first an image is like those of training, above the second "
        "it is not; None: not measured.",
    )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if len(self.guess_scales) > 4 or not all(0.25 <= scale <= 4 for scale in self.guess_scales):
            raise ValueError("guess_scales are at most four multiples of the pixel size, between 0.25 and 4")
        if self.ood_limits is not None and not 0 < self.ood_limits[0] <= self.ood_limits[1] < math.inf:
            raise ValueError("ood_limits are two positive scores, rising")
        if self.denoise_above is not None and not math.isfinite(self.denoise_above):
            raise ValueError("denoise_above must be finite")
        return self
