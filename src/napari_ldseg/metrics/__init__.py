"""Segmentation metrics compare a mask, or samples of masks, with a reference (numpy and scipy; no torch)."""

from ._calibration import (
    Reliability as Reliability,
    auprc as auprc,
    aurc as aurc,
    auroc as auroc,
    boundary_band as boundary_band,
    found_after as found_after,
    found_curve as found_curve,
    pairwise_dice as pairwise_dice,
    reliability as reliability,
    soft_dice_confidence as soft_dice_confidence,
    sparsification_error as sparsification_error,
)
from ._cases import Summary as Summary, score_case as score_case, summarize as summarize
from ._glas import ObjectScores as ObjectScores, label_objects as label_objects, object_scores as object_scores
from ._overlap import (
    confusion as confusion,
    dice as dice,
    foreground_dice as foreground_dice,
    iou as iou,
    sample_dice as sample_dice,
)
from ._raters import disagreement_correlation as disagreement_correlation, energy_distance as energy_distance
from ._surface import (
    average_surface_distance as average_surface_distance,
    hausdorff as hausdorff,
    hd95 as hd95,
    surface_distances as surface_distances,
)
