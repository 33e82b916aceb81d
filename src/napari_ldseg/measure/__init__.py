"""Numbers that judge masks and describe their objects (numpy, scipy and scikit-image; no torch)."""

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
from ._cardiac import Cardiac, Curve, find_phases, measure_cardiac
from ._cases import Summary, score_case, summarize
from ._glas import ObjectScores, label_objects, object_scores
from ._matching import Versions, match
from ._measure import (
    RANKINGS,
    Measured,
    Measurement,
    Spread,
    class_sizes,
    measure_frames,
    measure_objects,
    ranked,
    size_name,
    usable_ranking,
)
from ._overlap import confusion, dice, foreground_dice, iou
from ._raters import disagreement_correlation, energy_distance
from ._regions import Region, find_regions, grown, whole_frames
from ._samples import NOT_DRAWN, Box, SampleMasks
from ._shape import boundary
from ._surface import average_surface_distance, hausdorff, hd95, surface_distances
from ._ventricle import Ventricle, area_length, disk_summation, measure_ventricle

__all__ = [
    "NOT_DRAWN",
    "RANKINGS",
    "Box",
    "Cardiac",
    "Curve",
    "Measured",
    "Measurement",
    "ObjectScores",
    "Region",
    "Reliability",
    "SampleMasks",
    "Spread",
    "Summary",
    "Ventricle",
    "Versions",
    "area_length",
    "auprc",
    "aurc",
    "auroc",
    "average_surface_distance",
    "boundary",
    "boundary_band",
    "class_sizes",
    "confusion",
    "dice",
    "disagreement_correlation",
    "disk_summation",
    "energy_distance",
    "find_phases",
    "find_regions",
    "foreground_dice",
    "found_after",
    "found_curve",
    "grown",
    "hausdorff",
    "hd95",
    "iou",
    "label_objects",
    "match",
    "measure_cardiac",
    "measure_frames",
    "measure_objects",
    "measure_ventricle",
    "object_scores",
    "pairwise_dice",
    "ranked",
    "reliability",
    "score_case",
    "size_name",
    "soft_dice_confidence",
    "sparsification_error",
    "summarize",
    "surface_distances",
    "usable_ranking",
    "whole_frames",
]
