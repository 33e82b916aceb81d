"""Print how much of a known spread each sampler returns with a perfect denoiser (docs/uncertainty.md).

python -m benchmarks.evidence.posterior
"""

from typing import get_args

from napari_ldseg.config import SamplerName
from napari_ldseg.diffusion._posterior import returned_moments


def main() -> None:
    """Print a Markdown table: returned SD / true SD in percent, for s = 0.1 and 0.3, cosine schedule."""
    samplers = get_args(SamplerName)
    print("| K | " + " | ".join(f"{name} (s = 0.1 / 0.3)" for name in samplers) + " |")  # noqa: T201
    print("|---" * (len(samplers) + 1) + "|")  # noqa: T201
    for steps in (5, 8, 10, 15, 20):
        cells = []
        for name in samplers:
            ratios = [100 * returned_moments(name, steps, sd)[1] for sd in (0.1, 0.3)]
            cells.append(" / ".join(f"{ratio:.0f} %" for ratio in ratios))
        print(f"| {steps} | " + " | ".join(cells) + " |")  # noqa: T201


if __name__ == "__main__":
    main()
