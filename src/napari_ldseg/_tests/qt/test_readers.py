"""Medical images as layers, and layers back into files."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from napari.layers import Image, Labels, Layer
from npe2 import PluginManifest

import napari_ldseg

from ..._qt.plugin._readers import get_reader, read_layers, write_layer
from ..._qt.viewer._file_layers import layer_data, layer_of
from ..._qt.viewer._from_layers import GEOMETRY, read_layer
from ...data import Image as Picture, read_image, write_image
from ..builders import make_ramp
from ..data.medical_files import SHEARED, make_nifti, make_slice


def opened(path: Path) -> Layer:
    """The layer as napari makes it."""
    reader = get_reader(str(path))
    assert reader is not None
    (data,) = reader(str(path))
    return Layer.create(*data)


def save(layer: Layer, path: Path) -> None:
    data, attributes, _ = layer.as_layer_data_tuple()
    assert write_layer(str(path), data, attributes) == [str(path)]


def test_a_result_saved_from_napari_lies_on_the_nifti(tmp_path: Path) -> None:
    path = make_nifti(tmp_path / "a.nii.gz")
    image: Any = opened(path)
    assert isinstance(image, Image)
    assert image.axis_labels == ("z", "y", "x")
    assert [str(unit) for unit in image.units] == ["millimeter"] * 3
    np.testing.assert_allclose(image.scale, np.linalg.norm(SHEARED[:3, :3], axis=0)[::-1], rtol=1e-6)
    source = read_layer(image, 3, "all", (0, 0, 0))
    labels = Labels((image.data % 2).astype(np.int64), **source.place, metadata={GEOMETRY: source.image.geometry})
    save(labels, tmp_path / "b.nii.gz")
    written: Any = nibabel.load(tmp_path / "b.nii.gz")
    original: Any = nibabel.load(path)
    np.testing.assert_array_equal(written.affine, original.affine)
    assert int(written.header["sform_code"]) == 4
    np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(original.dataobj) % 2)


def test_a_part_of_a_volume_keeps_its_place(tmp_path: Path) -> None:
    image: Any = opened(make_nifti(tmp_path / "a.nii"))
    part = Labels(
        np.ones((2, 3, 4), np.uint8),
        scale=image.scale,
        translate=image.scale * [3, 2, 1],
        units=image.units,
        axis_labels=image.axis_labels,
        metadata=dict(image.metadata),
    )
    save(part, tmp_path / "b.nii")
    written: Any = nibabel.load(tmp_path / "b.nii")
    np.testing.assert_allclose(written.affine[:, 3], SHEARED @ [1, 2, 3, 1], atol=1e-4)
    np.testing.assert_allclose(written.affine[:3, :3], SHEARED[:3, :3], atol=1e-5)


@pytest.mark.parametrize("suffix", [".ome.tif", ".mha", ".nii.gz"])
def test_pixel_size_and_unit_are_saved(tmp_path: Path, suffix: str) -> None:
    layer = Image(make_ramp((6, 9)), scale=(0.154, 0.308), units=("mm", "mm"), axis_labels=("y", "x"))
    save(layer, tmp_path / f"a{suffix}")
    image = read_image(tmp_path / f"a{suffix}")
    assert (image.axes, image.unit) == ("yx", "millimeter")
    assert image.spacing == pytest.approx((0.154, 0.308))
    np.testing.assert_array_equal(image.array, layer.data)


@pytest.mark.parametrize(
    ("name", "values", "kind"), [("a_gt", 250, Labels), ("a", 4, Labels), ("a", 250, Image), ("a_label", 3, Labels)]
)
def test_masks_open_as_labels(tmp_path: Path, name: str, values: int, kind: type) -> None:
    path = tmp_path / f"{name}.mha"
    write_image(path, make_ramp((20, 30)) % values, "yx", spacing=None, unit="pixel", metadata={})
    assert type(opened(path)) is kind


def test_a_dicom_folder_and_what_is_not_ours(tmp_path: Path) -> None:
    for number in range(3):
        make_slice(tmp_path / "ct" / str(number), number)
    assert opened(tmp_path / "ct").data.shape == (3, 4, 5)
    (tmp_path / "empty").mkdir()
    for other in (tmp_path / "empty", tmp_path / "a.png"):
        assert get_reader(str(other)) is None
    assert len(read_layers([str(tmp_path / "ct")] * 2)) == 2


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_labels_of_a_dicom_series_become_a_dicom_segmentation(tmp_path: Path) -> None:
    for number in range(4):
        make_slice(tmp_path / "ct" / f"{number}.dcm", number, StudyInstanceUID="1.2.9", FrameOfReferenceUID="1.2.8")
    image: Any = opened(tmp_path / "ct")
    labels = np.zeros(image.data.shape, np.uint8)
    labels[1:3, 1, 2:] = 1
    layer = Labels(labels, scale=image.scale, translate=image.translate, units=image.units, metadata=image.metadata)
    save(layer, tmp_path / "seg.dcm")
    again = opened(tmp_path / "seg.dcm")
    assert isinstance(again, Labels)
    np.testing.assert_array_equal(again.data, labels)
    np.testing.assert_allclose(again.scale, image.scale)


def test_the_manifest_offers_them() -> None:
    manifest = PluginManifest.from_file(Path(napari_ldseg.__file__).with_name("napari.yaml"))
    (reader,) = manifest.contributions.readers or []
    assert reader.accepts_directories
    assert {"*.nii.gz", "*.mha", "*.dcm", "*.mp4"} <= set(reader.filename_patterns)
    writers = manifest.contributions.writers or []
    assert [str(writer.layer_types[0]) for writer in writers] == ["labels", "image"]
    assert all(".ome.tif" in writer.filename_extensions for writer in writers)


def picture(axes: str, *shape: int, dtype: Any = np.uint8, spacing: tuple[float, ...] | None = (0.5, 0.25)) -> Picture:
    return Picture(np.zeros(shape, dtype), axes, spacing, "micrometer" if spacing else "pixel", "a")


@pytest.mark.parametrize(
    ("image", "shape", "labels", "scale", "rgb"),
    [
        (picture("yxc", 6, 8, 3), (6, 8, 3), "yx", (0.5, 0.25), True),
        (picture("cyx", 3, 6, 8), (6, 8, 3), "yx", (0.5, 0.25), True),
        (picture("yx", 6, 4), (6, 4), "yx", (0.5, 0.25), False),
        (picture("tyxc", 5, 6, 8, 2), (5, 2, 6, 8), "tcyx", (1, 1, 0.5, 0.25), False),
        (picture("yxc", 6, 8, 3, dtype=np.float32), (3, 6, 8), "cyx", (1, 0.5, 0.25), False),
        (picture("zyxc", 4, 6, 8, 2, spacing=(2, 1, 1)), (2, 4, 6, 8), "czyx", (1, 2, 1, 1), False),
        (picture("tyx", 5, 6, 8, spacing=None), (5, 6, 8), "tyx", (1, 1, 1), False),
    ],
)
def test_an_image_becomes_a_layer_with_its_axes_where_napari_wants_them(
    image: Picture, shape: tuple[int, ...], labels: str, scale: tuple[float, ...], rgb: bool
) -> None:
    layer: Any = Layer.create(*layer_data(image))
    assert layer.data.shape == shape
    assert "".join(layer.axis_labels) == labels
    assert tuple(layer.scale) == scale
    assert layer.rgb is rgb
    unit = "pixel" if image.spacing is None else "micrometer"
    assert {str(u) for u, letter in zip(layer.units, labels, strict=True) if letter in "zyx"} == {unit}
    assert {str(u) for u, letter in zip(layer.units, labels, strict=True) if letter in "tc"} <= {"pixel"}


def test_a_coarser_result_lies_on_its_image() -> None:
    image, half = picture("yx", 8, 8, spacing=(2, 2)), picture("yx", 4, 4, spacing=None)
    layer = Labels(**layer_of(half, image, name="result"))
    assert tuple(layer.scale) == (4, 4)
    assert tuple(layer.translate) == (1, 1)  # the centre of four pixels
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 2
    assert layer.name == "result"
