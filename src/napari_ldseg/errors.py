"""Every error that a user may meet; each message names the problem and the remedy."""


class LDSegError(Exception):
    """Base of all errors that napari-ldseg raises on purpose."""


class InputError(LDSegError):
    """An image, a label mask, a folder or a setting cannot be used as it is."""


class CheckpointError(LDSegError):
    """A model file cannot be read, is damaged, or does not fit this version."""


class EngineError(LDSegError):
    """The computation itself failed (out of memory, a device error, not a number)."""
