"""Run a model on its device: the runner embeds, samples and decodes, and counts its steps."""

import math
import time
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .._version import __version__
from ..checkpoints import autocast, resolve_device, share_cores
from ..config import SAMPLER_FACTS, Precision, SamplerName
from ..diffusion import Noise
from ..errors import EngineError
from ..networks import LDSeg
from ..plan import PIXELS_AT_ONCE, Plan, least_side
from ._gate import Gate
from ._result import Segmentation, SegmentProgress
from ._sampling import decode_probabilities, sample_latents

# Models whose weights are in the right memory order already.
_READY: WeakSet[LDSeg] = WeakSet()


class Runner:
    """A model that is ready on its device. It counts its steps.

    Parameters
    ----------
    model : LDSeg
        It is moved to the device and set to evaluation.
    plan : Plan

    Attributes
    ----------
    batch : int
        How many samples (of so many windows) are computed together; halved when memory runs out.
    done, total : int
        Steps.
    part : str
        Which frame or block is computed.
    gate : Gate or None
        The noise of the image, where it was looked at.
    mixes : bool
        Whether the first guess may count in the map that is shown; it does not in a session.
    prompts : list
        Notes of what was said, for the provenance.
    """

    def __init__(self, model: LDSeg, plan: Plan) -> None:
        self.config, self.wanted = plan.settings, plan.wanted
        self.device = resolve_device(self.config.device)
        self.model = _ready(model, self.device)
        self._tiled, self._single = bool(plan.tiles), plan.is_single
        self.batch = plan.batch
        self._decoded = max(1, PIXELS_AT_ONCE // math.prod(plan.window))
        self.done, self.total = 0, 0
        self.part = ""
        self.gate: Gate | None = None
        self.mixes = True
        self.prompts = plan.said.notes()
        self.place, self.time_smoothing = plan.place, 0.0
        self._held: Tensor | None = None
        self._started = time.perf_counter()

    @property
    def sampler(self) -> SamplerName:
        """As set, or the model's own."""
        return self.config.sampler or self.model.config.sampler

    @property
    def renormalizes(self) -> bool:
        """Whether samples that are computed together influence each other (the authors' samplers)."""
        return SAMPLER_FACTS[self.sampler].couples_batch

    @property
    def views(self) -> int:
        """The number of flips that the samples take turns with."""
        return min(self.config.views or self.model.config.views, 1 << self.model.config.network.ndim)

    @property
    def steps(self) -> int:
        """As set, or the model's own."""
        return self.config.steps or self.model.config.steps

    def progress(self, text: str, preview: Segmentation | None = None) -> SegmentProgress:
        """Report how far the run is. ``part`` names the frame or block."""
        share_cores()
        text = f"{self.part}: {text}" if self.part else text[0].upper() + text[1:]
        return SegmentProgress(self.done, max(self.total, self.done), text, preview)

    @property
    def smoothing(self) -> float:
        """SD of the Gaussian that the image is smoothed by, in pixels of the networks' grid."""
        return 0.0 if self.gate is None else self.gate.smoothing

    @property
    def guess_weight(self) -> float:
        """Share of the first guess in the map that is shown: as set, or the model's own."""
        if not self.mixes:
            return 0.0
        own = self.model.config.trust.guess_weight
        return own if self.config.guess_weight is None else self.config.guess_weight

    @property
    def guess_scales(self) -> tuple[float, ...]:
        """Other pixel sizes at which the guess is made, too, where it counts."""
        return self.model.config.trust.guess_scales if self.guess_weight else ()

    def embed(self, tensor: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the condition of one image or tile (1, C, *S), and the probabilities of its first guess on the CPU."""
        try:
            # In bfloat16, embedding alone changes the SD map by 2 %; sampling and decoding change it by 0.2 %. Tiles
            # change it by more than that, and spend most of their time on embedding.
            wanted = self.config.precision
            precision: Precision = "float32" if wanted == "auto" and not self._tiled else wanted
            # One image at a time: in bfloat16, a result could otherwise depend on what is computed beside it.
            with torch.inference_mode(), autocast(self.device, precision):
                embedding, guess = self.model.embed(tensor.to(self.device))
            with torch.inference_mode():
                known = None if guess is None else guess.float().softmax(dim=1).cpu()
                return self.model.condition(embedding.float()), known
        except RuntimeError as error:
            full = "there is not enough memory; crop the image or choose the CPU"
            reason = full if _out_of_memory(error) else str(error)
            raise EngineError(f"The image could not be embedded on {self.device}: {reason}.") from error

    def guess_at(self, tensor: Tensor, scale: float) -> Tensor:
        """Return the first guess (1, classes, *S) of an image, made at ``scale`` times its pixel size, on the CPU."""
        config, side = self.model.config, tensor.shape[2:]
        inner = tuple(max(round(n / scale), 1) for n in side)
        outer = tuple(-(-max(n, least_side(config)) // config.network.stride) * config.network.stride for n in inner)
        seen = F.interpolate(tensor, inner, mode="bilinear", align_corners=False, antialias=True)
        margins = [(0, 0), (0, 0), *((0, o - i) for o, i in zip(outer, inner, strict=True))]
        seen = torch.from_numpy(np.pad(seen.numpy(), margins, mode="symmetric"))
        try:
            with torch.inference_mode(), autocast(self.device, self.config.precision):
                _, logits = self.model.image_encoder(seen.to(self.device))
        except RuntimeError as error:
            raise EngineError(f"The image could not be embedded on {self.device}: {error}.") from error
        guess = logits[:, :, : inner[0], : inner[1]].float().softmax(dim=1).cpu()
        return F.interpolate(guess, side, mode="bilinear", align_corners=False)

    def tell(self, condition: Tensor, prompts: Tensor) -> Tensor:
        """Add prompts (1, C, *S) to a condition; a model that takes none is not told of them."""
        if self.model.prompt_encoder is None:
            return condition
        with torch.inference_mode():
            return self.model.tell(condition, prompts.to(self.device))

    def sample(
        self, condition: Tensor, noise: Noise, samples: range, images: int
    ) -> Generator[SegmentProgress, None, Tensor]:
        """Draw one latent for each condition: these samples of ``images`` images.

        The first sample of a single image comes alone, and for one, sampling is faster in float32.
        """
        latent = condition
        drawn = sample_latents(
            self.model,
            condition,
            noise,
            sampler=self.sampler,
            steps=self.steps,
            precision="float32" if self._is_first(samples) else self.config.precision,
        )
        for step, current in enumerate(drawn, start=1):
            latent = current
            self.done += images
            yield self.progress(f"sampling, step {step} of {self.steps}")
        return latent

    def decode(self, latents: Tensor, samples: range) -> Tensor:
        """Return the probabilities (N, C, *S) of latents; they are overwritten by the next call."""
        at_once = 1 if self._is_first(samples) else self._decoded
        self._held = decode_probabilities(self.model, latents, at_once, self.config.precision, self._held)
        probabilities = self._held.cpu()
        if not torch.isfinite(probabilities.sum()):
            raise EngineError("The networks returned values that are not numbers; the model file may be damaged.")
        return probabilities

    def _is_first(self, samples: range) -> bool:
        return self._single and samples.stop == 1

    def halve_batch(self, samples: int, windows: int, error: RuntimeError) -> None:
        """Halve the batch, which was ``samples`` of each of so many windows, after an out-of-memory error.

        Raises
        ------
        EngineError
            After any other error, and where the batch was a single sample.
        """
        if not _out_of_memory(error):
            raise EngineError(f"The computation failed on {self.device}: {error}") from error
        if samples * windows == 1:
            raise EngineError(
                f"There is not enough memory on {self.device} for a single sample of this image; "
                "close other programs, choose the CPU, or crop the image."
            ) from error
        self.batch = samples * windows // 2

    def provenance(self, image: str) -> dict[str, Any]:
        """Everything that is needed to compute the same result again."""
        return {
            "software": "napari-ldseg",
            "version": __version__,
            "model": self.model.config.name,
            "model_sha256": self.model.sha256,
            "image": image,
            "sampler": self.sampler,
            "steps": self.steps,
            "views": self.views,
            "guess_weight": self.guess_weight,
            "guess_scales": list(self.guess_scales),
            "noise": None if self.gate is None else round(self.gate.sigma, 4),
            "denoising": self.smoothing,
            "time_smoothing": self.time_smoothing,
            "batch": self.batch,
            "grid": self.place,
            "seed": self.config.seed,
            "settings": self.config.model_dump(mode="json"),
            **({"prompts": self.prompts} if self.prompts else {}),
            "device": str(self.device),
            "seconds": round(time.perf_counter() - self._started, 3),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def _ready(model: LDSeg, device: torch.device) -> LDSeg:
    """Bring the model to the device, with its weights in the memory order that convolutions are fastest in."""
    # Checking every weight takes a tenth of a short run.
    if model in _READY and not model.training and next(model.parameters()).device == device:
        return model
    ndim = model.config.network.ndim
    order = torch.channels_last if ndim == 2 else torch.channels_last_3d
    model = model.to(device).eval()
    # Module.to(memory_format=...) refuses 3D models of the release, which have weights of other ranks, too.
    for weight in model.parameters():
        if weight.ndim == ndim + 2:
            weight.data = weight.data.contiguous(memory_format=order)
    _READY.add(model)
    return model


def _out_of_memory(error: RuntimeError) -> bool:
    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in words or "can't allocate memory" in words
