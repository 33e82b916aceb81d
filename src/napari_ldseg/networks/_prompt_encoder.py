"""The prompt encoder: what somebody said about some pixels, on the latent's grid."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ..config import NetworkConfig
from ._blocks import CONVOLUTIONS

SLOPE = 0.1
POOLS = {2: F.max_pool2d, 3: F.max_pool3d}


class PromptEncoder(nn.Module):
    """Map a prompt map to its share of the denoiser's first layer, which is zero before it has been trained.

    No layer has a bias, and the activation maps 0 to 0: where nothing is said within reach, nothing is added. So a map
    without any prompt gives exactly what no map gives. A second way sees whether anything was said in a cell at all
    (max-pooling), since a click of one pixel hardly shows after four strided convolutions.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        ndim, widths = config.ndim, (config.classes, *config.prompt_widths)
        convolution = CONVOLUTIONS[ndim]
        self.factor = config.factor
        stages = [convolution(a, b, 3, stride=2, padding=1, bias=False) for a, b in pairwise(widths)]
        self.out = convolution(widths[-1], config.denoiser_widths[0], 3, padding=1, bias=False)
        self.pooled = convolution(config.classes, config.denoiser_widths[0], 3, padding=1, bias=False)
        for stage in stages:
            nn.init.kaiming_normal_(stage.weight, a=SLOPE)
        for last in (self.out, self.pooled):
            nn.init.zeros_(last.weight)
        self.stages = nn.ModuleList(stages)

    def forward(self, prompts: Tensor) -> Tensor:
        """Map prompts (N, classes, *S), 1 where a pixel was said to be of a class, to (N, W, *S / factor)."""
        h = prompts
        for stage in self.stages:
            h = F.leaky_relu(stage(h), SLOPE)
        out: Tensor = self.out(h) + self.pooled(POOLS[prompts.ndim - 2](prompts, self.factor))
        return out
