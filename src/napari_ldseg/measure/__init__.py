"""Numbers that judge masks (numpy and scikit-image; no torch)."""

from ._overlap import confusion, dice, foreground_dice, iou

__all__ = ["confusion", "dice", "foreground_dice", "iou"]
