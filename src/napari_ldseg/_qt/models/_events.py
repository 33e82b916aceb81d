"""The one list of models that all pickers follow."""

from qtpy.QtCore import QObject, Signal

KERAS = (".hdf5", ".h5")
FILTER = "LDSeg models (*.safetensors);;Keras files of the LDSeg release (*.hdf5 *.h5);;All files (*)"


class _Models(QObject):
    """Tells every picker when models came or went; and when one got another name, its file before and now."""

    changed = Signal()
    renamed = Signal(object, object)


MODELS = _Models()
