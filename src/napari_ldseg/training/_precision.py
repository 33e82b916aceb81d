"""Avoid bfloat16 where training cannot trust it."""

import torch

from ..config import AuthorsConfig, NetworkConfig, Precision


def safe_precision(
    precision: Precision, device: torch.device, crop: tuple[int, ...], network: NetworkConfig | AuthorsConfig
) -> Precision:
    """Return the precision, or float32 where PyTorch's gradients in bfloat16 are not to be trusted.

    On CPUs, the weight gradient of a 3D convolution in bfloat16 holds memory that was never written where its input is
    two planes deep (PyTorch 2.13 with oneDNN; 1e37 and not a number, found with the knee model: its loss became NaN
    after some steps).

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
    device : torch.device
    crop : tuple of int
        What is trained on, depth first, in pixels.
    network : NetworkConfig or AuthorsConfig
        Every level of its image encoder, mask encoder and denoiser halves the depth.
    """
    deepest = len(network.denoiser_widths) if isinstance(network, NetworkConfig) else crop[0]
    halvings = network.factor.bit_length() - 1 + deepest - 1
    depths = {crop[0] // 2**k for k in range(halvings + 1)}
    return "float32" if device.type == "cpu" and network.ndim == 3 and 2 in depths else precision
