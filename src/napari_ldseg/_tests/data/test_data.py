import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile

from ..._util import write_text
from ...data import Image, find_images, read_image, read_labels, write_image
from ...datasets import Pair, find_pairs
from ...errors import InputError
from ...phantoms import colon_gland, phantom
from ..builders import make_disk, make_ramp, save_picture
from ..shared import SHARED, needs

# --- pictures


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".PNG"])
@pytest.mark.parametrize(("shape", "axes"), [((6, 9), "yx"), ((6, 9, 3), "yxc")])
def test_pictures_are_read_as_written(tmp_path: Path, suffix: str, shape: tuple[int, ...], axes: str) -> None:
    array = make_ramp(shape)
    image = read_image(save_picture(tmp_path / f"a{suffix}", array))
    assert (image.axes, image.name, image.spacing) == (axes, "a", None)
    np.testing.assert_array_equal(image.array, array)


def test_rgba_keeps_four_channels(tmp_path: Path) -> None:
    assert read_image(save_picture(tmp_path / "a.png", make_ramp((6, 9, 4)))).array.shape == (6, 9, 4)


def test_jpeg_is_close(tmp_path: Path) -> None:
    image = read_image(save_picture(tmp_path / "a.jpg", np.full((8, 8, 3), 100, np.uint8)))
    assert np.abs(image.array.astype(int) - 100).max() <= 2


@pytest.mark.parametrize(("array", "dtype"), [(make_ramp((6, 9), np.uint16) * 200, "uint16"), (np.eye(4) > 0, "bool")])
def test_png_keeps_its_type(tmp_path: Path, array: Any, dtype: str) -> None:
    image = read_image(save_picture(tmp_path / "a.png", array))
    assert image.array.dtype == dtype
    np.testing.assert_array_equal(image.array, array)


@pytest.mark.parametrize("suffix", [".png", ".gif", ".tif"])
def test_a_palette_is_colour_as_image_and_index_as_labels(tmp_path: Path, suffix: str) -> None:
    picture = PIL.Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "L").convert("P")
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    picture.save(tmp_path / f"a{suffix}")
    image = read_image(tmp_path / f"a{suffix}")
    assert image.axes == "yxc"
    assert image.array.tolist() == [[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [40, 50, 60]]]
    assert read_labels(tmp_path / f"a{suffix}").array.tolist() == [[0, 1], [2, 1]]


def test_the_frames_of_a_gif_are_a_cine(tmp_path: Path) -> None:
    frames = [PIL.Image.new("L", (3, 2), value) for value in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    image = read_image(tmp_path / "a.gif")
    assert (image.axes, image.array.shape) == ("tyx", (2, 2, 3))
    assert [frame.max() for frame in image.array] == [0, 255]


# --- TIFF


@pytest.mark.parametrize(
    ("written", "shape", "axes", "read_shape"),
    [
        ("YX", (6, 9), "yx", (6, 9)),
        ("ZYX", (4, 6, 9), "zyx", (4, 6, 9)),
        ("TYX", (4, 6, 9), "tyx", (4, 6, 9)),
        ("CYX", (4, 6, 9), "yxc", (6, 9, 4)),
        ("YXS", (6, 9, 3), "yxc", (6, 9, 3)),
        ("TZCYX", (2, 3, 4, 6, 9), "tzyxc", (2, 3, 6, 9, 4)),
    ],
)
def test_ome_axes_and_pixel_size(
    tmp_path: Path, written: str, shape: tuple[int, ...], axes: str, read_shape: tuple[int, ...]
) -> None:
    array = make_ramp(shape)
    sizes = {"Z": 2.0, "Y": 0.5, "X": 0.25}
    metadata = {f"PhysicalSize{a}": s for a, s in sizes.items()} | {f"PhysicalSize{a}Unit": "mm" for a in sizes}
    tifffile.imwrite(tmp_path / "a.ome.tif", array, metadata={"axes": written, **metadata})
    image = read_image(tmp_path / "a.ome.tif")
    assert (image.axes, image.array.shape, image.name) == (axes, read_shape, "a")
    assert (image.spacing, image.unit) == ((2.0, 0.5, 0.25)[-len(image.spatial) :], "millimeter")
    np.testing.assert_array_equal(image.array, np.moveaxis(array, written.find("C"), -1) if "C" in written else array)


def test_ome_without_all_sizes_states_none(tmp_path: Path) -> None:
    metadata = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "a.ome.tif", make_ramp((4, 6, 9)), metadata=metadata)
    assert read_image(tmp_path / "a.ome.tif").spacing is None


def test_imagej_pixel_size(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        make_ramp((4, 6, 9)),
        imagej=True,
        resolution=(4, 2),
        metadata={"axes": "ZYX", "unit": "um", "spacing": 3.0},
    )
    image = read_image(tmp_path / "a.tif")
    assert (image.axes, image.spacing, image.unit) == ("zyx", (3.0, 0.5, 0.25), "micrometer")


def test_imagej_without_calibration_states_none(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", make_ramp((6, 9)), imagej=True)
    assert read_image(tmp_path / "a.tif").spacing is None


@pytest.mark.parametrize(
    ("resolution", "unit", "spacing"),
    [
        ((20_000, 10_000), "CENTIMETER", (1.0, 0.5)),
        ((25_400, 25_400), "INCH", (1.0, 1.0)),
        ((72, 72), "INCH", None),
        ((1, 1), "NONE", None),
    ],
)
def test_plain_resolution_tags_unless_they_are_a_printers(
    tmp_path: Path, resolution: tuple[int, int], unit: str, spacing: tuple[float, float] | None
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", make_ramp((6, 9)), resolution=resolution, resolutionunit=unit, metadata=None)
    image = read_image(tmp_path / "a.tif")
    assert image.spacing == (None if spacing is None else pytest.approx(spacing))
    assert image.unit == ("pixel" if spacing is None else "micrometer")


def test_a_stack_of_unknown_meaning_is_positions(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", make_ramp((4, 6, 9)), metadata=None, photometric="minisblack")
    assert read_image(tmp_path / "a.tif").axes == "pyx"


@pytest.mark.parametrize("pages", [1, 3])
def test_lzw_is_read_without_imagecodecs(tmp_path: Path, pages: int) -> None:
    array = make_ramp((pages, 6, 9))
    first, *more = [PIL.Image.fromarray(page) for page in array]
    first.save(tmp_path / "a.tif", compression="tiff_lzw", save_all=True, append_images=more)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, array if pages > 1 else array[0])


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("dtype", ["uint8", "bool", "uint16"])
def test_where_0_is_white_an_image_is_inverted_and_labels_are_not(tmp_path: Path, compression: str, dtype: str) -> None:
    black = np.array([[0, 0, 1], [1, 1, 0]], dtype) * np.array({"uint8": 200, "uint16": 9, "bool": 1}[dtype], dtype)
    # Pillow inverts what it writes, but not 16 bits.
    picture = PIL.Image.fromarray(black if dtype != "uint16" else 65535 - black)
    picture.save(tmp_path / "a.tif", compression=compression, tiffinfo={262: 0})
    image, labels = read_image(tmp_path / "a.tif").array, read_labels(tmp_path / "a.tif").array
    assert image.dtype == labels.dtype == dtype
    np.testing.assert_array_equal(image, black)
    np.testing.assert_array_equal(labels, ~black)


# --- what cannot be read


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.png does not exist; check the path"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.txt", "a"])
def test_unknown_kind_lists_what_can_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"1")
    with pytest.raises(InputError, match=r"\.tif, \.tiff, \.png.*\.nii\.gz.*one DICOM series"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InputError, match="is empty"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.gif", "a.bmp"])
def test_a_text_that_is_called_image(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("no picture at all" * 20)
    with pytest.raises(InputError, match=r"cannot be read .* not what its name says"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "gif", "plain.tif", "ome.tif", "imagej.tif", "ours.tif"])
def test_truncated_file_is_never_read_in_part(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    stack = make_ramp((3, 40, 50))
    if kind == "ours.tif":
        write_image(path, stack, "zyx", spacing=(1, 1, 1), unit="um", metadata={})
    elif kind.endswith("tif"):
        options: dict[str, Any] = {"imagej.tif": {"imagej": True}, "ome.tif": {"ome": True}}.get(kind, {})
        tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": "ZYX"}, **options)
    else:
        save_picture(path, stack[0])
    whole, size = read_image(path), path.stat().st_size
    raw = path.read_bytes()
    refused = 0
    for part in (8, 60, size // 4, size // 2, size - 300, size - 100, size - 20):
        path.write_bytes(raw[:part])
        try:
            image = read_image(path)
        except InputError:
            refused += 1
            continue
        np.testing.assert_array_equal(image.array, whole.array)
        assert image.axes == whole.axes
    assert refused >= 4


# --- label masks


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_that_are_grey_become_labels(tmp_path: Path, suffix: str) -> None:
    mask = make_disk(2)
    rgb = np.repeat(mask[..., np.newaxis], 3, axis=-1)
    path = tmp_path / f"a{suffix}"
    tifffile.imwrite(path, rgb, photometric="rgb") if suffix == ".tif" else save_picture(path, rgb)
    labels = read_labels(path)
    assert labels.axes == "yx"
    np.testing.assert_array_equal(labels.array, mask)


def test_labels_whose_channel_stands_first_keep_their_pixels(tmp_path: Path) -> None:
    mask = make_disk(2)
    write_image(tmp_path / "a.zarr", mask[np.newaxis], "cyx", spacing=None, unit="pixel", metadata={})
    labels = read_labels(tmp_path / "a.zarr")
    assert labels.axes == "yx"
    np.testing.assert_array_equal(labels.array, mask)


def test_colours_are_refused_as_labels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"3 different channels and is no label mask: save it as one channel"):
        read_labels(save_picture(tmp_path / "a.png", make_ramp((6, 9, 3))))


@pytest.mark.parametrize("ndim", [2, 3])
def test_whole_floats_become_integers(tmp_path: Path, ndim: int) -> None:
    tifffile.imwrite(tmp_path / "a.tif", make_disk(ndim).astype(np.float32), metadata={"axes": "ZYX"[-ndim:]})
    labels = read_labels(tmp_path / "a.tif")
    assert labels.array.dtype == np.int32
    np.testing.assert_array_equal(labels.array, make_disk(ndim))


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, 1e20])
def test_fractions_are_refused_as_labels(tmp_path: Path, value: float) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 4), value, np.float32))
    with pytest.raises(InputError, match=r"holds fractions and is no label mask: save it with whole numbers"):
        read_labels(tmp_path / "a.tif")


def test_negative_labels_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 4), -1, np.int16))
    with pytest.raises(InputError, match="negative"):
        read_labels(tmp_path / "a.tif")


# --- writing


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    ("axes", "shape", "spacing"),
    [
        ("yx", (6, 9), (0.5, 0.3)),
        ("zyx", (4, 6, 9), (2.0, 0.5, 0.3)),
        ("tyx", (4, 6, 9), (0.5, 0.3)),
        ("tzyx", (2, 4, 6, 9), (2.0, 0.5, 0.3)),
        ("ptyx", (3, 2, 6, 9), (0.5, 0.3)),
        ("tzyx", (1, 1, 6, 9), (2.0, 0.5, 0.3)),
        ("yx", (6, 9), None),
    ],
)
def test_written_is_read_back(
    tmp_path: Path, dtype: Any, axes: str, shape: tuple[int, ...], spacing: tuple[float, ...] | None
) -> None:
    array = make_ramp(shape, dtype)
    path = tmp_path / "new" / "x_labels.tif"
    write_image(path, array, axes, spacing=spacing, unit="µm", metadata={"seed": 3})
    image = read_image(path)
    assert (image.axes, image.array.dtype, image.name) == (axes, dtype, "x_labels")
    np.testing.assert_array_equal(image.array, array)
    assert image.spacing == (None if spacing is None else pytest.approx(spacing, rel=1e-6))
    assert image.unit == ("pixel" if spacing is None else "micrometer")
    assert [p.name for p in path.parent.iterdir()] == ["x_labels.tif"]


def test_what_imagej_and_tifffile_find(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    array = make_ramp((2, 4, 60, 90))
    write_image(
        path, array, "tzyx", spacing=(2, 0.5, 0.25), unit="micrometer", metadata={"model": "glas", "µ": Path("x")}
    )
    assert path.stat().st_size < array.nbytes / 2
    with tifffile.TiffFile(path) as tiff:
        found = tiff.imagej_metadata
        assert found is not None
        assert tiff.series[0].axes == "TZYX"
        assert (found["unit"], found["spacing"], found["frames"], found["slices"]) == ("micron", 2, 2, 4)
        assert [tiff.pages.first.tags[f"{a}Resolution"].value for a in "XY"] == [(4, 1), (2, 1)]
        note = json.loads(found["Info"])
    assert (note["model"], note["µ"]) == ("glas", "x")


def test_a_file_that_was_turned_in_fiji_keeps_its_new_shape(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_image(path, make_ramp((6, 9)), "yx", spacing=None, unit="pixel", metadata={})
    with tifffile.TiffFile(path) as tiff:
        info = (tiff.imagej_metadata or {})["Info"]
    turned = make_ramp((6, 9)).T.copy()
    tifffile.imwrite(path, turned, imagej=True, metadata={"Info": info})
    np.testing.assert_array_equal(read_image(path).array, turned)


def test_a_mask_is_written_as_uint8_and_int64_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "a.tif", make_disk(2) > 0, "yx", spacing=None, unit="pixel", metadata={})
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif").array, make_disk(2))
    with pytest.raises(InputError, match="cannot hold int64 values; convert to uint8"):
        write_image(tmp_path / "b.tif", np.zeros((4, 4), np.int64), "yx", spacing=None, unit="pixel", metadata={})


def test_a_full_disk_leaves_the_old_file_and_no_half_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"old")

    def fill(partial: Path, *_: object, **__: object) -> None:
        partial.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", fill)
    with pytest.raises(InputError, match=r"a\.tif cannot be written \(No space left on device\); .*make room"):
        write_image(path, make_disk(2), "yx", spacing=None, unit="pixel", metadata={})
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]
    assert path.read_bytes() == b"old"


def test_a_name_that_is_not_utf_8_is_written_with_a_backslash(tmp_path: Path) -> None:
    write_text(tmp_path / "a.csv", "M\udcfcller,M\xfcller\n")
    assert (tmp_path / "a.csv").read_bytes() == b"M\\udcfcller,M\xc3\xbcller\n"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written .*choose another folder"):
        write_image(tmp_path / "file" / "a.tif", make_disk(2), "yx", spacing=None, unit="pixel", metadata={})


# --- finding files


def make_files(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_find_images_in_a_folder_in_natural_order(tmp_path: Path) -> None:
    make_files(tmp_path, "t_10.png", "t_2.PNG", "t_1.tif", "t_1_anno.png", "t_1_labels.tif", "t_1_sd.tif", ".t.tif")
    make_files(tmp_path, "notes.txt", "t_2_annotated.png")
    make_files(tmp_path / "deeper", "t_3.png")
    assert [p.name for p in find_images([tmp_path])] == ["t_1.tif", "t_2.PNG", "t_10.png"]


def test_find_images_takes_files_and_patterns_once_each(tmp_path: Path) -> None:
    make_files(tmp_path, "a.png", "b.png", "c.tif")
    found = find_images([tmp_path / "b.png", tmp_path / "*.png", tmp_path])
    assert [p.name for p in found] == ["b.png", "a.png", "c.tif"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("*.png", "No image was found"), ("", "No image was found"), ("a.png", "does not exist"), (None, "was named")],
)
def test_find_images_that_are_not_there(tmp_path: Path, name: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_images([] if name is None else [tmp_path / name])


# --- pairs


@pytest.mark.parametrize("ending", ["", "_anno", "_labels", "_label", "_mask", "_masks", "_seg", "_gt"])
def test_pairs_in_two_folders(tmp_path: Path, ending: str) -> None:
    make_files(tmp_path / "i", "t_10.bmp", "t_2.png")
    make_files(tmp_path / "l", f"t_2{ending}.tif", f"t_10{ending}.png")
    assert find_pairs(tmp_path / "i", tmp_path / "l") == [
        Pair(tmp_path / "i" / "t_2.png", tmp_path / "l" / f"t_2{ending}.tif", "t_2"),
        Pair(tmp_path / "i" / "t_10.bmp", tmp_path / "l" / f"t_10{ending}.png", "t_10"),
    ]


def test_pairs_in_one_folder_as_in_glas(tmp_path: Path) -> None:
    make_files(tmp_path, "train_1.bmp", "train_1_anno.bmp", "train_2.bmp", "train_2_anno.bmp", "Grade.csv")
    (tmp_path / "Grade.csv").write_text("name, patient ID, grade\ntestA_1, 9, x\ntrain_1, 2, x\ntrain_2.bmp, 3, x\n")
    pairs = find_pairs(tmp_path, tmp_path, groups=tmp_path / "Grade.csv")
    assert [(p.image.name, p.labels.name, p.group) for p in pairs] == [
        ("train_1.bmp", "train_1_anno.bmp", "2"),
        ("train_2.bmp", "train_2_anno.bmp", "3"),
    ]


def test_two_files_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    make_files(tmp_path, "a.png", "b.png")
    assert find_pairs(tmp_path / "a.png", tmp_path / "b.png") == [Pair(tmp_path / "a.png", tmp_path / "b.png", "a")]


def test_semicolons_and_a_byte_order_mark_as_excel_writes(tmp_path: Path) -> None:
    make_files(tmp_path, "a.png", "a_gt.png")
    (tmp_path / "g.csv").write_text("name;patient\r\na;7\r\n", encoding="utf-8-sig")
    assert find_pairs(tmp_path, tmp_path, groups=tmp_path / "g.csv")[0].group == "7"


def test_images_without_labels_are_named_up_to_five(tmp_path: Path) -> None:
    make_files(tmp_path / "i", *(f"t_{n}.png" for n in range(1, 9)))
    make_files(tmp_path / "l", "t_1.png")
    with pytest.raises(InputError, match=r"7 images .* t_2\.png, .*t_6\.png and 2 more\. .*_anno"):
        find_pairs(tmp_path / "i", tmp_path / "l")


def test_labels_without_images_are_named(tmp_path: Path) -> None:
    make_files(tmp_path / "i", "a.png")
    make_files(tmp_path / "l", "a.png", "b_mask.png")
    with pytest.raises(InputError, match=r"1 label masks .* have no image: b_mask\.png"):
        find_pairs(tmp_path / "i", tmp_path / "l")


def test_two_labels_for_one_image_are_refused(tmp_path: Path) -> None:
    make_files(tmp_path, "a.png", "a_gt.png", "a_mask.png")
    with pytest.raises(InputError, match=r"Two label masks answer to 'a': a_gt\.png and a_mask\.png; move or rename"):
        find_pairs(tmp_path, tmp_path)


def test_missing_folder_group_and_groups_file(tmp_path: Path) -> None:
    make_files(tmp_path, "a.png", "a_gt.png")
    with pytest.raises(InputError, match="nowhere does not exist"):
        find_pairs(tmp_path, tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"groups file .* cannot be read"):
        find_pairs(tmp_path, tmp_path, groups=tmp_path / "no.csv")
    (tmp_path / "g.csv").write_text("name,patient\nb,1\na,\n")
    with pytest.raises(InputError, match=r"1 images have no group .*: a\. The first column"):
        find_pairs(tmp_path, tmp_path, groups=tmp_path / "g.csv")


def write_like_glas(folder: Path) -> Path:
    """Twelve pairs of three patients, named and listed as those of GlaS."""
    lines = ["name,patient ID,grade (GlaS),grade (Sirinukunwattana et al. 2015)"]
    (folder / "train").mkdir(parents=True)
    for number in range(1, 13):
        size = (20 + number, 16)
        PIL.Image.new("RGB", size, (200, 90, number)).save(folder / f"train/train_{number}.png")
        PIL.Image.new("L", size, number % 3).save(folder / f"train/train_{number}_anno.png")
        lines.append(f"train_{number},{number % 3},malignant,moderately differentiated")
    (folder / "grade.csv").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(
    ("glas", "pairs", "patients"),
    [(None, 12, 3), pytest.param(SHARED / "data/glas", 85, 15, marks=needs("data/glas"))],
    ids=["small", "GlaS"],
)
def test_glas_is_found_as_pairs_of_patients(tmp_path: Path, glas: Path | None, pairs: int, patients: int) -> None:
    folder = glas or write_like_glas(tmp_path / "glas")
    found = find_pairs(folder / "train", folder / "train", groups=folder / "grade.csv")
    assert (len(found), len({pair.group for pair in found})) == (pairs, patients)
    for pair in found[::5]:
        assert read_image(pair.image).shape == read_labels(pair.labels).shape
    assert find_images([folder / "train"]) == [pair.image for pair in found]


# --- samples


def test_colon_gland_is_a_colour_picture() -> None:
    image = colon_gland()
    assert (image.axes, image.array.shape, image.array.dtype.name, image.spacing) == (
        "yxc",
        (512, 512, 3),
        "uint8",
        (0.36, 0.36),
    )


@pytest.mark.parametrize(
    ("shape", "axes", "channels"), [((32, 48), "yxc", 3), ((24, 32, 40), "zyx", 1)], ids=["2d", "3d"]
)
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_phantom(shape: tuple[int, ...], axes: str, channels: int, classes: int) -> None:
    image, labels = phantom(shape, seed=1, classes=classes)
    again, same = phantom(shape, seed=1, classes=classes)
    other, _ = phantom(shape, seed=2, classes=classes)
    assert (image.axes, image.channels, image.shape, image.array.dtype.name) == (axes, channels, shape, "uint8")
    assert np.unique(labels).tolist() == list(range(classes))
    np.testing.assert_array_equal(image.array, again.array)
    np.testing.assert_array_equal(labels, same)
    assert np.any(image.array != other.array)


@pytest.mark.parametrize("shape", [(64, 64), (24, 32, 32)])
def test_phantom_walls_are_dark_and_lumens_bright(shape: tuple[int, ...]) -> None:
    image, labels = phantom(shape, seed=0, classes=3, colour=False)
    background, wall, lumen = (image.array[labels == k].mean() for k in range(3))
    assert wall + 20 < background < lumen - 20
    assert 0.1 < np.mean(labels > 0) < 0.5


@pytest.mark.parametrize(("shape", "classes"), [((4, 4), 2), ((32,), 2), ((32, 32), 1)])
def test_phantom_refuses(shape: tuple[int, ...], classes: int) -> None:
    with pytest.raises(InputError, match="cannot be drawn; give"):
        phantom(shape, seed=0, classes=classes)


# --- Image


@pytest.mark.parametrize(
    ("axes", "spacing", "message"),
    [
        ("yxc", None, "has 2 axes"),
        ("yy", None, "must be different letters"),
        ("xy", None, "y before x"),
        ("yx", (1.0,), "must be 2 positive numbers"),
        ("yx", (1.0, 0.0), "must be 2 positive numbers"),
    ],
)
def test_an_image_refuses_axes_that_do_not_fit(axes: str, spacing: tuple[float, ...] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Image(np.zeros((4, 4)), axes, spacing)


def test_an_image_tells_its_axes_apart() -> None:
    image = Image(np.zeros((2, 3, 4, 5, 6)), "tzyxc", (1, 1, 1))
    assert (image.spatial, image.frame_axes, image.shape, image.channels) == ("zyx", "t", (3, 4, 5), 6)
