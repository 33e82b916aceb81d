"""Synthetic images of known truth: glands, an echocardiogram, a knee."""

from ._echo import EchoPhantom as EchoPhantom, echo_cine as echo_cine
from ._glands import colon_gland as colon_gland, phantom as phantom
from ._knee import volume_phantom as volume_phantom
