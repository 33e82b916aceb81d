"""What was said so far, with undo and redo."""

from collections.abc import Sequence

from ...prompts import Prompt

Prompts = tuple[Prompt, ...]


class History:
    """The prompts of an image, and their earlier and later states."""

    def __init__(self, present: Sequence[Prompt] = ()) -> None:
        self.present: Prompts = tuple(present)
        self._earlier: list[Prompts] = []
        self._later: list[Prompts] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._earlier)

    @property
    def can_redo(self) -> bool:
        """Whether there is a change that was taken back."""
        return bool(self._later)

    def put(self, prompts: Sequence[Prompt]) -> bool:
        """Take other prompts as the present ones; return whether they differ."""
        if [each.note() for each in prompts] == [each.note() for each in self.present]:
            return False
        self._earlier.append(self.present)
        self._later.clear()
        self.present = tuple(prompts)
        return True

    def undo(self) -> bool:
        """Take the last change back; return whether there was one."""
        return self._step(self._earlier, self._later)

    def redo(self) -> bool:
        """Make the change again that was taken back last; return whether there was one."""
        return self._step(self._later, self._earlier)

    def _step(self, source: list[Prompts], target: list[Prompts]) -> bool:
        if not source:
            return False
        target.append(self.present)
        self.present = source.pop()
        return True
