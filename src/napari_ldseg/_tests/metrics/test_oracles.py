"""Our scores beside those of MONAI and scikit-image, on blobs of chance."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label
from skimage.metrics import hausdorff_distance

from ...metrics import (
    auprc,
    auroc,
    average_surface_distance,
    dice,
    energy_distance,
    hausdorff,
    hd95,
    iou,
    label_objects,
    reliability,
    surface_distances,
)

CASES = [
    pytest.param((40, 56), (1.0, 1.0), id="2d"),
    pytest.param((40, 56), (0.5, 2.0), id="2d, anisotropic"),
    pytest.param((14, 22, 26), (3.0, 1.0, 0.7), id="3d, anisotropic"),
]


def blobs(shape: tuple[int, ...], seed: int, classes: int = 2) -> NDArray[np.uint8]:
    """Smooth noise, cut into classes; never at the edge, where libraries differ in what a surface is."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2.5)
    mask = np.searchsorted(np.quantile(field, np.linspace(0, 1, classes + 1)[1:-1]), field).astype(np.uint8)
    inner: NDArray[np.uint8] = np.zeros_like(mask)
    inner[(slice(2, -2),) * len(shape)] = mask[(slice(2, -2),) * len(shape)]
    return inner


def pair(shape: tuple[int, ...], classes: int = 2) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two masks that overlap in part."""
    one = blobs(shape, 1, classes)
    other = np.where(blobs(shape, 2) > 0, one, np.roll(one, 2, axis=-1))
    other[..., -2:] = other[..., :2] = 0
    return one, other.astype(np.uint8)


def one_hot(mask: NDArray[np.uint8], classes: int) -> Any:
    """As MONAI wants it, (1, classes, *S)."""
    import torch

    return torch.from_numpy(np.stack([mask == index for index in range(classes)])[None].astype(np.float32))


@pytest.mark.parametrize(("shape", "spacing"), CASES)
def test_overlap_is_monai_s(shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    del spacing
    from monai.metrics import compute_dice, compute_iou

    masks = pair(shape, 3)
    hot = [one_hot(mask, 3) for mask in masks]
    for ours, theirs in ((dice, compute_dice), (iou, compute_iou)):
        expected = theirs(*hot, include_background=False)[0].numpy()
        np.testing.assert_allclose(np.asarray(ours(*masks, 3))[-2:], expected, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")
@pytest.mark.parametrize(("shape", "spacing"), CASES)
def test_surface_distances_are_monai_s(shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

    masks = pair(shape)
    hot, kwargs = [one_hot(mask, 2) for mask in masks], {"include_background": False, "spacing": list(spacing)}
    for ours, percentile in ((hd95, 95), (hausdorff, None)):
        expected = float(compute_hausdorff_distance(*hot, percentile=percentile, **kwargs)[0, 0])
        assert ours(*masks, spacing) == pytest.approx(expected, rel=1e-5)
    of_prediction, of_reference = surface_distances(*masks, spacing)
    assert min(len(of_prediction), len(of_reference)) > 50
    means = {True: average_surface_distance(*masks, spacing), False: of_prediction.mean()}
    for symmetric, mean in means.items():
        expected = float(compute_average_surface_distance(*hot, symmetric=symmetric, **kwargs)[0, 0])
        assert mean == pytest.approx(expected, rel=1e-5)


def test_hausdorff_is_scikit_image_s() -> None:
    masks = pair((40, 56))
    # Distances between the outlines and between the masks are the same where neither lies within the other.
    surfaces = [mask & ~ndimage.binary_erosion(mask).astype(np.uint8) for mask in masks]
    assert hausdorff(*masks) == pytest.approx(hausdorff_distance(*(surface > 0 for surface in surfaces)))


def test_objects_are_scikit_image_s() -> None:
    mask = blobs((60, 60), 3)
    np.testing.assert_array_equal(label_objects(mask) > 0, label(mask, connectivity=2) > 0)
    assert label_objects(mask).max() == label(mask, connectivity=2).max()


def test_error_detection_is_monai_s_and_the_textbook_s() -> None:
    import torch
    from monai.metrics import compute_average_precision, compute_roc_auc

    rng = np.random.default_rng(0)
    score, error = rng.integers(0, 12, 300) / 11, rng.random(300) < 0.3
    tensors = torch.from_numpy(score), torch.from_numpy(error.astype(np.int64))
    assert auroc(score, error) == pytest.approx(float(compute_roc_auc(*tensors)), abs=1e-9)
    distinct = score + rng.permutation(300) * 1e-6
    expected = float(compute_average_precision(torch.from_numpy(distinct), tensors[1]))
    assert auprc(distinct, error) == pytest.approx(expected, abs=1e-9)


def test_calibration_is_monai_s() -> None:
    import torch
    from monai.metrics import calibration_binning

    rng = np.random.default_rng(0)
    probability, true = rng.random((1, 1, 30, 30)), rng.random((1, 1, 30, 30)) < 0.4
    predicted, accuracy, counts = calibration_binning(
        torch.from_numpy(probability), torch.from_numpy(true.astype(np.float64)), num_bins=10, right=True
    )
    found = reliability(probability, true, bins=10)
    np.testing.assert_allclose(found.confidence, predicted[0, 0].numpy(), rtol=1e-6)
    np.testing.assert_allclose(found.accuracy, accuracy[0, 0].numpy(), rtol=1e-6)
    np.testing.assert_array_equal(found.pixels, counts[0, 0].numpy())


def test_energy_distance_in_other_words() -> None:
    rng = np.random.default_rng(0)
    samples, raters = rng.random((5, 8, 8)) < 0.4, rng.random((3, 8, 8)) < 0.5

    def distance(one: Any, other: Any) -> float:
        return float(np.mean([1 - float(np.asarray(iou(a, b, 2))[-1]) for a in one for b in other]))

    expected = 2 * distance(samples, raters) - distance(samples, samples) - distance(raters, raters)
    assert energy_distance(samples, raters) == pytest.approx(expected, rel=1e-6)
