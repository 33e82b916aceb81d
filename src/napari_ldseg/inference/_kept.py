"""What a session keeps between two draws, in memory that does not grow without end."""

from collections import OrderedDict
from collections.abc import Hashable

from torch import Tensor


class Kept:
    """Tensors by key; where there are too many, those that were asked for least lately go.

    Parameters
    ----------
    most : int or None
        Bytes; None keeps all.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most, self._size = most, 0
        self._held: OrderedDict[Hashable, tuple[Tensor, ...]] = OrderedDict()

    def get(self, key: Hashable) -> tuple[Tensor, ...] | None:
        """Return what is kept under a key."""
        found = self._held.get(key)
        if found is not None:
            self._held.move_to_end(key)
        return found

    def put(self, key: Hashable, *tensors: Tensor) -> None:
        """Keep tensors under a key."""
        self._size += _bytes(tensors) - _bytes(self._held.pop(key, ()))
        self._held[key] = tensors
        while self._most is not None and self._size > self._most and len(self._held) > 1:
            self._size -= _bytes(self._held.popitem(last=False)[1])

    def clear(self) -> None:
        """Forget all."""
        self._held.clear()
        self._size = 0


def _bytes(tensors: tuple[Tensor, ...]) -> int:
    return sum(each.numel() * each.element_size() for each in tensors)
