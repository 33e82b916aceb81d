"""What must be known of a sampler before torch is loaded."""

from dataclasses import dataclass

from ._base import SamplerName


@dataclass(frozen=True)
class SamplerFacts:
    """Properties of a sampler.

    Attributes
    ----------
    couples_batch : bool
        Whether samples that are computed together influence each other.
    fewest_steps : int
        With fewer steps the result would be the noise that the sampler began with.
    """

    couples_batch: bool = False
    fewest_steps: int = 1


SAMPLER_FACTS: dict[SamplerName, SamplerFacts] = {
    "ddpm": SamplerFacts(),
    "ddim": SamplerFacts(),
    "dpm-solver++": SamplerFacts(),
    "ldseg-release": SamplerFacts(couples_batch=True, fewest_steps=2),
    "ldseg-release-ddpm": SamplerFacts(couples_batch=True, fewest_steps=2),
}


def too_few_steps(sampler: SamplerName, steps: int) -> str:
    """Return why a sampler cannot work with so few steps; empty if it can."""
    fewest = SAMPLER_FACTS[sampler].fewest_steps
    if steps >= fewest:
        return ""
    return (
        f"The last step of the sampler {sampler!r} removes no noise, so that a single one would leave all of it; take "
        f"{fewest} steps or more, or another sampler."
    )
