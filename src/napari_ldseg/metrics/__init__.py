"""Segmentation metrics compare a mask, or samples of masks, with a reference (numpy and scipy; no torch)."""

from ._calibration import (
    Reliability,
    auprc,
    aurc,
    auroc,
    boundary_band,
    found_after,
    found_curve,
    pairwise_dice,
    reliability,
    soft_dice_confidence,
    sparsification_error,
)
from ._cases import Summary, score_case, summarize
from ._glas import ObjectScores, label_objects, object_scores
from ._overlap import confusion, dice, foreground_dice, iou, sample_dice
from ._raters import disagreement_correlation, energy_distance
from ._surface import average_surface_distance, hausdorff, hd95, surface_distances

__all__ = [
    "ObjectScores",
    "Reliability",
    "Summary",
    "auprc",
    "aurc",
    "auroc",
    "average_surface_distance",
    "boundary_band",
    "confusion",
    "dice",
    "disagreement_correlation",
    "energy_distance",
    "foreground_dice",
    "found_after",
    "found_curve",
    "hausdorff",
    "hd95",
    "iou",
    "label_objects",
    "object_scores",
    "pairwise_dice",
    "reliability",
    "sample_dice",
    "score_case",
    "soft_dice_confidence",
    "sparsification_error",
    "summarize",
    "surface_distances",
]
