"""Keep all model pickers in step with the list of models."""

from qtpy.QtCore import QObject, Signal

KERAS = (".hdf5", ".h5")
FILTER = "LDSeg models (*.safetensors);;Keras files of the LDSeg release (*.hdf5 *.h5);;All files (*)"


class _Models(QObject):
    """Tells every picker when models appear or disappear, and the old and new file of a renamed one."""

    changed = Signal()
    renamed = Signal(object, object)


MODELS = _Models()
