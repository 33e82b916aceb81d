"""Import a Keras folder while the viewer runs. Call it in a thread: it loads torch and some megabytes."""

from pathlib import Path

from ..._util import user_folder
from ...checkpoints import read_header
from ...errors import CheckpointError
from ..threads._import_torch import import_torch


def import_folder(folder: Path) -> Path:
    """Import the four Keras files of a folder into the user's own models; return the model's file.

    A folder that was imported before, with the same files, is not imported again.
    """
    import_torch()
    from ...checkpoints import save_model
    from ...exchange import import_keras

    model = import_keras(folder)
    base = user_folder("models") / model.config.name
    for place in (base, *(base.with_name(f"{base.name}-{number}") for number in range(2, 100))):
        if not place.exists():
            return save_model(model, place)
        if _is_card(place, model.card):
            return place / "model.safetensors"
    raise CheckpointError(f"There are too many models named {base.name!r} in {str(base.parent)!r}; rename the folder.")


def _is_card(place: Path, card: str) -> bool:
    """Whether a folder holds a model with this card, which names the hashes of its source files."""
    try:
        return read_header(place).card == card
    except CheckpointError:
        return False
