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
from ..._qt.viewer._from_layers import GEOMETRY, read_layer
from ...data import read_image, write_image
from ..builders import make_ramp
from ..data.test_medical import SHEARED, make_nifti, make_slice


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


def test_the_manifest_offers_them() -> None:
    manifest = PluginManifest.from_file(Path(napari_ldseg.__file__).with_name("napari.yaml"))
    (reader,) = manifest.contributions.readers or []
    assert reader.accepts_directories
    assert {"*.nii.gz", "*.mha", "*.dcm", "*.mp4"} <= set(reader.filename_patterns)
    writers = manifest.contributions.writers or []
    assert [str(writer.layer_types[0]) for writer in writers] == ["labels", "image"]
    assert all(".ome.tif" in writer.filename_extensions for writer in writers)
