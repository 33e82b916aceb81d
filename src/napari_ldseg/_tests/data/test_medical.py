"""Medical formats together: what is written is read back, damaged files, whole data sets, the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings, strategies as st
from typer.testing import Result

from ... import save_model
from ...data import find_images, output_suffix, read_image, read_labels, read_notes, write_image
from ...datasets import find_pairs
from ...errors import InputError
from ..builders import make_ramp, make_tiny_model
from ..fuzzing import changed_bytes
from ..shared import SHARED, needs
from .medical_files import load, make_nifti, make_slice, place_of


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".nii.gz", ".mha"])
@pytest.mark.parametrize(
    ("axes", "shape", "spacing"),
    [
        ("yx", (6, 9), (0.154, 0.308)),
        ("zyx", (4, 6, 9), (2.0, 0.5, 0.25)),
        ("tyx", (3, 6, 9), (0.5, 0.25)),
        ("tzyx", (2, 4, 6, 9), (2.0, 0.5, 0.25)),
        ("ptyx", (3, 2, 6, 9), (0.5, 0.25)),
        ("yx", (6, 9), None),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_written_is_read_back(
    tmp_path: Path, suffix: str, axes: str, shape: tuple[int, ...], spacing: tuple[float, ...] | None, dtype: Any
) -> None:
    path, array = tmp_path / f"x_sd{suffix}", make_ramp(shape, dtype)
    write_image(path, array, axes, spacing=spacing, unit="millimeter", metadata={"seed": 3})
    image = read_image(path)
    assert (image.name, image.axes, image.array.dtype) == ("x_sd", axes, dtype)
    np.testing.assert_array_equal(image.array, array)
    assert image.spacing == (None if spacing is None else pytest.approx(spacing, rel=1e-6))
    assert read_notes(path) == {"seed": 3}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".nii", ".mha"])
def test_mean_maps_keep_their_channels(tmp_path: Path, suffix: str) -> None:
    array = make_ramp((3, 4, 6, 9), np.float32)
    write_image(tmp_path / f"a{suffix}", array, "czyx", spacing=None, unit="pixel", metadata={})
    image = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(np.moveaxis(image.array, image.axes.index("c"), 0), array)


def test_a_name_without_a_known_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"end it in one of \.tif, \.ome\.tif, \.nii\.gz, \.mha"):
        write_image(tmp_path / "a.png", make_ramp((4, 4)), "yx", spacing=None, unit="pixel", metadata={})
    assert not list(tmp_path.iterdir())


def test_another_grid_than_the_source_is_refused(tmp_path: Path) -> None:
    geometry = read_image(make_nifti(tmp_path / "a.nii")).geometry
    with pytest.raises(InputError, match="does not lie on the grid"):
        write_image(
            tmp_path / "b.nii", make_ramp((4, 4)), "yx", spacing=None, unit="pixel", metadata={}, geometry=geometry
        )


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".dcm", ".mp4"])
def test_a_text_with_such_a_name(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_text("no image at all" * 50)
    with pytest.raises(InputError, match=r"cannot be read .* not what its name says"):
        read_image(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".dcm"])
def test_damaged_files_are_read_or_refused_in_words(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".mha":
        write_image(path, make_ramp((4, 5, 6)), "zyx", spacing=(1, 1, 1), unit="millimeter", metadata={})
    else:
        make_slice(path, 0) if suffix == ".dcm" else make_nifti(path)
    whole = path.read_bytes()

    @settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def attack(data: st.DataObject) -> None:
        path.write_bytes(changed_bytes(data, whole, 400))
        try:
            assert read_image(path).array.size > 0
        except InputError as error:
            assert path.name in str(error)  # noqa: PT017

    attack()


def geometry_equal(one: Path, other: Path) -> None:
    first, second = read_image(one).geometry, read_image(other).geometry
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.matrix, second.matrix)


def write_data_sets(root: Path) -> None:
    """Small files, named and laid out as those of three public data sets; written by nibabel and SimpleITK."""
    for folder in ("hippocampus/images", "hippocampus/labels", "knee", "camus/patient0001"):
        (root / folder).mkdir(parents=True)
    values = make_ramp((5, 7, 6)).astype(np.int16)
    affine = np.diag([-1.5, 1.25, 0.5, 1.0])
    for number in (1, 2):
        for name, array in (("images", values), ("labels", values % 3)):
            file = nibabel.Nifti1Image(array, affine)
            file.header.set_xyzt_units("mm")
            file.to_filename(root / f"hippocampus/{name}/hippocampus_00{number}.nii.gz")
            file.to_filename(root / f"knee/case{number}{'_label' * (name == 'labels')}.nii.gz")
    for view in ("2CH_ED", "2CH_ES", "4CH_ED", "4CH_ES"):
        for tail, array in (("", make_ramp((1, 9, 8))), ("_gt", make_ramp((1, 9, 8)) % 4)):
            frame = SimpleITK.GetImageFromArray(array.astype(np.uint8))
            frame.SetSpacing((0.308, 0.154, 1.54))
            SimpleITK.WriteImage(frame, str(root / f"camus/patient0001/patient0001_{view}{tail}.mhd"))


REAL = needs("data/hippocampus", "data/knee", "data/camus")


@pytest.mark.parametrize(
    ("root", "folder", "pairs", "shape", "spacing"),
    [
        (None, "hippocampus", 2, (6, 7, 5), (0.5, 1.25, 1.5)),
        (None, "knee", 2, (6, 7, 5), (0.5, 1.25, 1.5)),
        (None, "camus/patient0001", 4, (9, 8), (0.154, 0.308)),
        pytest.param(SHARED / "data", "hippocampus", 208, (35, 51, 35), (1.0, 1.0, 1.0), marks=REAL),
        pytest.param(SHARED / "data", "knee", 3, (160, 104, 240), (1.0, 1.0, 1.0), marks=REAL),
        pytest.param(SHARED / "data", "camus/patient0001", 4, (778, 549), (0.154, 0.308), marks=REAL),
    ],
)
def test_data_sets_are_read_and_written_back(
    tmp_path: Path, root: Path | None, folder: str, pairs: int, shape: tuple[int, ...], spacing: tuple[float, ...]
) -> None:
    if root is None:
        root = tmp_path / "data"
        write_data_sets(root)
    images = root / folder / "images" if folder == "hippocampus" else root / folder
    labels = root / folder / "labels" if folder == "hippocampus" else root / folder
    found = find_pairs(images, labels)
    assert len(found) == pairs
    assert len(find_images([images])) == pairs
    image, mask = read_image(found[0].image), read_labels(found[0].labels)
    assert mask.array.shape == image.array.shape == shape or folder.startswith("camus")
    assert (image.spacing, image.unit) == (spacing, "millimeter")
    for suffix in (".nii.gz", ".mha"):
        out = tmp_path / f"x_labels{suffix}"
        place = place_of(mask)
        write_image(out, mask.array, mask.axes, metadata={}, **place)
        np.testing.assert_array_equal(read_labels(out).array, mask.array)
        if found[0].image.suffix != ".mhd" or suffix == ".mha":
            geometry_equal(out, found[0].labels)


@pytest.fixture
def volume_model(tmp_path: Path) -> Path:
    return save_model(make_tiny_model(3, image_channels=1), tmp_path / "model.safetensors")


def test_segment_writes_in_the_inputs_format(run: Callable[..., Result], volume_model: Path, tmp_path: Path) -> None:
    source = make_nifti(tmp_path / "x.nii.gz", (18, 17, 16))
    out = tmp_path / "out"
    flags = ("-m", volume_model, "-n", 2, "--steps", 1, "--keep-mb", 1, "--mean", "--out", out)
    result = run("segment", source, *flags)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.glob("x_*")) == [
        f"x_{kind}.nii.gz" for kind in ("labels", "mean", "samples", "sd")
    ]
    for kind in ("labels", "sd", "mean"):
        written = load(out / f"x_{kind}.nii.gz")
        np.testing.assert_array_equal(written.affine, load(source).affine)
        assert written.shape[:3] == (18, 17, 16)
    assert read_notes(out / "x_labels.nii.gz")["image"] == "x.nii.gz"
    result = run("measure", out / "x_labels.nii.gz", "--out", tmp_path / "measured")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "measured" / "x_labels.csv").is_file()
    result = run("evaluate", out / "x_labels.nii.gz", out / "x_labels.nii.gz")
    assert result.exit_code == 0, result.output
    assert run("segment", source, *flags, "--format", "mha").exit_code == 0
    assert (out / "x_sd.mha").is_file()
    refused = run("segment", source, *flags, "--format", "png")
    assert refused.exit_code == 2
    assert "'png' is not one of 'tif', 'ome-tif', 'nifti', 'mha'" in refused.output
    with pytest.raises(InputError, match="choose one of tif, ome-tif, nifti, mha"):
        output_suffix(source, "png")
