"""Embed images once. A training with a frozen image encoder draws its crops from these embeddings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import TrainConfig
from ..networks import LDSeg
from ._augment import draw_rated_batch
from ._dataset import Case
from ._distributed import own
from ._losses import Batch, annotated
from ._partial import is_partial

# All views together take at most about this much memory; if they would not fit, each image gets fewer.
MOST_BYTES = 2**31


@dataclass(frozen=True)
class Embedded:
    """One view of an image.

    Attributes
    ----------
    embedding : float32 tensor, shape (E, *cells)
    masks : float16 tensor, shape (classes, *S) or, of several raters, (raters, classes, *S)
    guess : uint8 tensor, shape (*S), or None
        The classes of the first guess.
    latent : float32 tensor, shape (L, *cells), or None
        That of the masks, where they are complete and by one rater.
    """

    embedding: Tensor
    masks: Tensor
    guess: Tensor | None
    latent: Tensor | None


class EmbeddedCases:
    """All views of some cases; one view after the other is embedded by :meth:`fill`.

    Parameters
    ----------
    cases : sequence of Case
    crop : tuple of int
        The smallest view, in pixels; what lies beyond an image's border is mirrored.
    config : TrainConfig
    rotate : bool
        Whether augmented views may be turned any way.
    device : torch.device
    """

    def __init__(
        self, cases: Sequence[Case], crop: tuple[int, ...], config: TrainConfig, *, rotate: bool, device: torch.device
    ) -> None:
        self._cases, self._crop, self._config, self._rotate, self._device = cases, crop, config, rotate, device
        self._held: list[list[Embedded]] = [[] for _ in cases]
        sizes = [2 * case.masks.numel() * (1 if case.raters is None else len(case.raters)) for case in cases]
        self.views = max(1, min(config.cached_views, MOST_BYTES // max(1, sum(sizes))))

    @property
    def full(self) -> bool:
        """Whether all views are embedded."""
        return all(len(views) == self.views for views in self._held)

    def fill(self, model: LDSeg) -> Iterator[int]:
        """Embed the missing views and count them. Image encoder and mask encoder stay in evaluation mode."""
        model.image_encoder.eval()
        model.mask_encoder.eval()
        done = 0
        for index, case in enumerate(self._cases):
            for view in range(len(self._held[index]), self.views):
                generator = torch.Generator().manual_seed(self._config.seed * 1_000_003 + index * 101 + view)
                self._held[index].append(self._embed(model, case, view, generator))
                done += 1
                yield done

    @torch.no_grad()
    def _embed(self, model: LDSeg, case: Case, view: int, generator: torch.Generator) -> Embedded:
        """Embed a view: 0 as it is, 2, 4, ... mirrored, 1, 3, ... augmented."""
        stride = model.config.network.stride
        sides = [max(n, least) for n, least in zip(case.image.shape[1:], self._crop, strict=True)]
        outer = tuple(side + -side % stride for side in sides)
        if view % 2 and self._config.augment:
            image, masks, _ = draw_rated_batch(
                [case], outer, augment=True, rotate=self._rotate, generator=generator, config=self._config
            )
        else:
            image, masks = padded(case.image, outer)[None], padded(_targets(case), outer)[None]
            axes = [2 + axis for axis in _mirrored(case, view, upright=not self._rotate, generator=generator)]
            image = image.flip(axes)
            masks = masks.flip([axis + masks.ndim - image.ndim for axis in axes])
        embedding, guess = model.embed(image.to(self._device))
        classes = None if guess is None else guess[0].argmax(dim=0).to(torch.uint8)
        latent = None
        if masks.ndim == image.ndim and not is_partial(masks):
            latent = model.encode(masks.to(self._device))[0].float()
        return Embedded(embedding[0].float(), masks[0].half(), classes, latent)

    def draw(self, chosen: Sequence[int], factor: int, generator: torch.Generator) -> Batch:
        """Return a batch of crops, cut out along the cells of a random view of each chosen case."""
        seeds = torch.randint(2**62, (len(chosen),), generator=generator).tolist()
        embeddings, masks, guesses, latents = [], [], [], []
        for index, seed in zip(own(chosen), own(seeds), strict=True):
            single = torch.Generator().manual_seed(seed)

            def pick(number: int, single: torch.Generator = single) -> int:
                return int(torch.randint(number, (), generator=single))

            view = self._held[index][pick(self.views)]
            cells = [side // factor for side in self._crop]
            starts = [pick(n - side + 1) for n, side in zip(view.embedding.shape[1:], cells, strict=True)]
            coarse = tuple(slice(a, a + side) for a, side in zip(starts, cells, strict=True))
            fine = tuple(slice(a * factor, (a + side) * factor) for a, side in zip(starts, cells, strict=True))
            shares = view.masks if view.masks.ndim == view.embedding.ndim else view.masks[pick(len(view.masks))]
            embeddings.append(view.embedding[:, *coarse])
            masks.append(shares[:, *fine].float())
            if view.guess is not None:
                guesses.append(view.guess[fine].long())
            if view.latent is not None:
                latents.append(view.latent[:, *coarse])
        return _batch(torch.stack(embeddings), torch.stack(masks).to(self._device), guesses, latents)


def _batch(embedding: Tensor, masks: Tensor, guesses: list[Tensor], latents: list[Tensor]) -> Batch:
    """Put a batch together; what nobody annotated is filled in by the first guess."""
    guess = torch.stack(guesses) if guesses else None
    complete = masks
    if is_partial(masks):
        classes = masks.shape[1]
        seen = masks.new_full(masks.shape, 1 / classes)
        if guess is not None:
            seen = F.one_hot(guess, classes).movedim(-1, 1).to(masks)
        complete = masks + (1 - annotated(masks)) * seen
    latent = torch.stack(latents) if len(latents) == len(masks) else None
    return Batch(embedding, masks, complete, embedding=embedding, guess=guess, latent=latent)


def padded(image: Tensor, outer: tuple[int, ...]) -> Tensor:
    """Return (..., *S) as (..., *outer), continued by its mirror image after the last pixel of each axis."""
    first = image.ndim - len(outer)
    for axis, side in enumerate(outer, start=first):
        n = image.shape[axis]
        turned = torch.cat([torch.arange(n), torch.arange(n).flip(0)])
        image = image.index_select(axis, turned[torch.arange(side) % (2 * n)])
    return image


def _targets(case: Case) -> Tensor:
    return case.masks if case.raters is None else case.raters


def _mirrored(case: Case, view: int, *, upright: bool, generator: torch.Generator) -> list[int]:
    """Return the axes along which a view is mirrored: an upright image only from left to right."""
    if not view:
        return []
    ndim = case.image.ndim - 1
    if upright or prod(case.image.shape[1:]) == 0:
        return [ndim - 1]
    return [axis for axis in range(ndim) if float(torch.rand((), generator=generator)) < 0.5]
