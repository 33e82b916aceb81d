"""Synthetic images of known truth: glands, an echocardiogram, a knee."""

from ._echo import EchoPhantom, echo_cine
from ._glands import colon_gland, phantom
from ._knee import volume_phantom

__all__ = ["EchoPhantom", "colon_gland", "echo_cine", "phantom", "volume_phantom"]
