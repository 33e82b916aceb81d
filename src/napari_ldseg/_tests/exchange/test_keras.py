"""The authors' release: its files are recognised, and its layers compute what TensorFlow's do."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ... import SegmentConfig, segment
from ...checkpoints import load_model, read_header, save_model
from ...config import AuthorsConfig, ModelConfig
from ...data import Image
from ...errors import CheckpointError, InputError
from ...exchange import import_keras
from ...exchange.keras._hdf5 import PROCESS
from ...networks import LDSeg
from ...networks._authors import Transposed, group_norm, shrink
from ...networks._blocks import Attention, BatchNorm
from ..builders import make_ramp, mean_of
from ..keras_builders import KerasFile, denoiser, mask_encoder, write_release


@pytest.fixture(params=[2, 3], ids=["2d", "3d"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_release(tmp_path / f"small{request.param}d", request.param)


def release(model: LDSeg) -> AuthorsConfig:
    assert isinstance(model.config.network, AuthorsConfig)
    return model.config.network


@pytest.mark.slow
def test_options_are_read_off_the_layers(tmp_path: Path) -> None:
    flat = release(import_keras(write_release(tmp_path / "2", 2)))
    assert flat == AuthorsConfig(
        ndim=2,
        cells=(8, 8),
        mask_widths=(4, 8, 8),
        decoder_widths=(8, 8),
        image_stem=8,
        image_widths=(8, 8),
        image_heads=(0, 8),
        denoiser_stem=8,
        denoiser_widths=(8, 16),
        denoiser_attention=(False, True),
        denoiser_blocks=1,
        time_channels=16,
    )
    solid = release(import_keras(write_release(tmp_path / "3", 3)))
    assert solid == flat.replace(
        ndim=3,
        image_channels=1,
        classes=3,
        cells=(4, 4, 4),
        mask_down="conv",
        mask_head=2,
        decoder_up="nearest",
        image_groups=4,
        image_down="pool",
        image_heads=(0, 0),
        image_head=3,
        embedding_heads=0,
        embedding_swish=False,
        denoiser_skips="blocks",
    )


def test_what_the_files_do_not_say_is_the_release_s_default(folder: Path) -> None:
    config = import_keras(folder, "my model/2").config
    assert (config.name, config.sampler, config.steps, config.views) == ("my model-2", "ldseg-release", 15, 1)
    assert (config.diffusion.schedule, config.diffusion.prediction) == ("cosine", "epsilon")
    assert config.input.shape == {2: (32, 32), 3: (16, 16, 16)}[config.network.ndim]
    assert (config.input.mode, config.input.normalization) == ("fit", "minmax")
    assert len(config.class_names) == config.network.classes


def test_every_number_is_used_once_and_in_its_place(folder: Path) -> None:
    model = import_keras(folder)
    state = model.state_dict()
    stored: list[np.ndarray] = []
    for path in folder.iterdir():
        with h5py.File(path) as file:
            file.visititems(lambda _, each: stored.append(each[()].ravel()) if isinstance(each, h5py.Dataset) else None)
    ours = np.concatenate([tensor.numpy().ravel() for tensor in state.values()])
    np.testing.assert_array_equal(np.sort(ours), np.sort(np.concatenate(stored)))

    ndim = model.config.network.ndim
    with h5py.File(next(folder.glob("labelEncoder*"))) as file:
        kernel = file[f"conv{ndim}d/conv{ndim}d/kernel:0"][()]
        cells = file["encoder_output/encoder_output/gamma:0"][()]
    weight = state["mask_encoder.blocks.0.main.0.weight"].numpy()
    assert weight[3, 0, 2, 1, ...].ravel()[0] == kernel[2, 1, ..., 0, 3].ravel()[0]
    np.testing.assert_array_equal(state["mask_encoder.norm.weight"][0].numpy(), cells[..., 0])
    with h5py.File(next(folder.glob("denoiser*"))) as file:
        both = file[f"conv{ndim}d/conv{ndim}d/kernel:0"][()]
    for name, channel in (("latent_in", 0), ("condition_in", 1)):
        np.testing.assert_array_equal(
            state[f"denoiser.{name}.weight"][5, 0].numpy(), both[..., channel, 5], err_msg=name
        )


def test_imported_model_is_saved_loaded_and_segments(folder: Path, tmp_path: Path) -> None:
    model = import_keras(folder)
    path = save_model(model, tmp_path / "model")
    again = load_model(path)
    assert again.config == model.config == ModelConfig.model_validate_json(model.config.model_dump_json())
    assert "labelEncoder" in again.card
    assert read_header(path).config.sampler == "ldseg-release"
    shape, axes = {2: ((40, 30, 3), "yxc"), 3: ((12, 20, 18), "zyx")}[model.config.network.ndim]
    image = Image(make_ramp(shape), axes)
    *_, last = segment(again, image, SegmentConfig(samples=3, steps=2, device="cpu"))
    assert last.preview is not None
    assert last.preview.labels.shape == shape[: model.config.network.ndim]
    assert 0 < last.preview.sd.max() <= 0.71
    *_, same = segment(again, image, SegmentConfig(samples=3, steps=2, device="cpu"))
    assert same.preview is not None
    np.testing.assert_array_equal(mean_of(last.preview), mean_of(same.preview))


def test_one_image_size_is_part_of_the_weights(folder: Path) -> None:
    config = import_keras(folder).config
    side = (48,) * config.network.ndim
    with pytest.raises(InputError, match="see images of one size"):
        config.replace(input=config.input.replace(shape=side))


def test_masks_are_read_as_class_indices(tmp_path: Path) -> None:
    model = import_keras(write_release(tmp_path, 3))
    labels = torch.randint(3, (1, 16, 16, 16), generator=torch.Generator().manual_seed(0))
    seen: list[torch.Tensor] = []
    block = model.get_submodule("mask_encoder.blocks.0")
    block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.encode(F.one_hot(labels, 3).movedim(-1, 1).float())
    torch.testing.assert_close(seen[0][:, 0], labels.float())


# --- layers, against numbers counted by hand


def test_strided_convolution_pads_at_the_far_end_only() -> None:
    down = shrink(2, 1, "conv")
    with torch.no_grad():
        down[1].weight.fill_(1)  # type: ignore[index]
        down[1].bias.zero_()  # type: ignore[index]
    row = torch.arange(4.0).expand(1, 1, 4, 4)
    # 0 + 1 + 2, then 2 + 3 + nothing; three rows, then two.
    assert down(row)[0, 0].tolist() == [[9.0, 15.0], [6.0, 10.0]]


def test_transposed_convolution_drops_the_last_row() -> None:
    up = Transposed(2, 1, 1)
    with torch.no_grad():
        up.conv.weight.copy_(torch.arange(9.0).reshape(1, 1, 3, 3))
        up.conv.bias.zero_()  # type: ignore[union-attr]
    out = up(torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]]))
    assert out.shape == (1, 1, 4, 4)
    assert out[0, 0, :3, :3].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert not out[0, 0, 3].any()


def test_norms_have_keras_epsilons() -> None:
    norm = BatchNorm(1).eval()
    with torch.no_grad():
        norm.get_buffer("variance").fill_(0.003)
    assert norm(torch.full((1, 1, 2), 1.0)).unique().item() == pytest.approx(1 / np.sqrt(0.004))
    assert [group_norm(width).num_groups for width in (16, 48, 1, 6)] == [4, 4, 1, 2]
    assert group_norm(16).eps == 1e-3


def test_attention_may_add_to_the_normalised_input() -> None:
    attention = Attention(2, 8, normed_residual=True)
    torch.nn.init.zeros_(attention.project.weight)
    x = torch.randn(1, 8, 4, 4) * 3 + 1
    torch.testing.assert_close(attention(x), attention.norm(x))


# --- what is said where something is wrong


def test_missing_file_is_named(folder: Path) -> None:
    next(folder.glob("imageEncoder*")).unlink()
    with pytest.raises(CheckpointError, match=r"lacks imageEncoder\*\.hdf5; a model .* is four files"):
        import_keras(folder)
    with pytest.raises(CheckpointError, match="There is no folder"):
        import_keras(folder / "none")


def test_twins_are_named(folder: Path) -> None:
    next(folder.glob("denoiser*")).rename(folder / "denoiser_100.hdf5")
    (folder / "denoiser_200.hdf5").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"several files for one network \(denoiser_100\.hdf5, denoiser_200"):
        import_keras(folder)


def test_another_network_is_refused_where_it_differs(folder: Path) -> None:
    other = next(folder.glob("labelDecoder*"))
    other.write_bytes(next(folder.glob("denoiser*")).read_bytes())
    with pytest.raises(CheckpointError, match=r"at the start stands 'dense' \(dense\), where .* should be"):
        import_keras(folder)


def test_weights_of_other_settings_are_refused(tmp_path: Path) -> None:
    folder = write_release(tmp_path, 2, labelEncoder=mask_encoder(2, (8, 8), (4, 8, 8, 8)))
    with pytest.raises(CheckpointError, match="need one entry per down-sampling"):
        import_keras(folder)
    odd = denoiser(2, (8, 16), (False, True))
    odd.layers[0] = ("dense", {key: values[:, :7] for key, values in odd.layers[0][1].items() if values.ndim == 2})
    with pytest.raises(CheckpointError, match="has no kernel and bias"):
        import_keras(write_release(tmp_path / "odd", 2, denoiser=odd))


@pytest.mark.parametrize("layer", ["conv2d", "dense_1", "attention_block", "conv2d_9", "group_normalization"])
def test_weights_of_other_shapes_are_refused(tmp_path: Path, layer: str) -> None:
    odd = denoiser(2, (8, 16), (False, True))
    for index, (name, arrays) in enumerate(odd.layers):
        if name == layer:
            odd.layers[index] = (name, {key: np.zeros(5, np.float32) for key in arrays})
    with pytest.raises(CheckpointError, match=r"no kernel and bias|norm and four dense|unknown kind|whose shape"):
        import_keras(write_release(tmp_path, 2, denoiser=odd))


def test_denoiser_without_a_time_embedding_is_refused(tmp_path: Path) -> None:
    odd = denoiser(2, (8, 16), (False, True))
    odd.layers = [layer for layer in odd.layers if layer[0] not in ("dense", "dense_1")]
    with pytest.raises(CheckpointError, match=r"is not (the denoiser|this network) of the LDSeg release"):
        import_keras(write_release(tmp_path, 2, denoiser=odd))


def test_not_finite_weight_is_named(tmp_path: Path) -> None:
    folder = write_release(tmp_path, 2)
    with h5py.File(folder / "denoiser.hdf5", "r+") as file:
        file["dense/dense/bias:0"][0] = np.nan
    with pytest.raises(CheckpointError, match=r"denoiser\.time\.mlp\.0\.bias in .* is not finite"):
        import_keras(folder)


def _replace(path: Path, kind: str) -> None:
    with h5py.File(path, "r+") as file:
        group, name = file["dense"], "dense/bias:0"
        values = group[name][()]
        del group[name]
        if kind == "external link":
            group[name] = h5py.ExternalLink("other.h5", "/bias")
        elif kind == "soft link":
            group[name] = h5py.SoftLink("/dense_1/dense_1/bias:0")
        elif kind == "compressed":
            group.create_dataset(name, data=values, compression="gzip")
        elif kind == "external data":
            group.create_dataset(name, values.shape, "f4", external=[("/etc/hostname", 0, 4 * len(values))])
        elif kind == "virtual":
            layout = h5py.VirtualLayout(values.shape, "f4")
            layout[:] = h5py.VirtualSource("other.h5", "bias", values.shape)
            group.create_virtual_dataset(name, layout)
        elif kind == "integers":
            group.create_dataset(name, data=values.astype(int))
        elif kind == "bomb":
            group.create_dataset(name, (2**40,), "f4")
        else:
            group.create_group(name)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("external link", "leads to another place"),
        ("soft link", "leads to another place"),
        ("compressed", "compressed, or lies in another file"),
        ("external data", "compressed, or lies in another file"),
        ("virtual", "compressed, or lies in another file"),
        ("integers", "no array of numbers"),
        ("bomb", "more than the file holds"),
        ("group", "no array of numbers"),
    ],
)
def test_only_plain_numbers_of_the_file_itself_are_read(tmp_path: Path, kind: str, said: str) -> None:
    folder = write_release(tmp_path, 2)
    _replace(folder / "denoiser.hdf5", kind)
    with pytest.raises(CheckpointError, match=said):
        import_keras(folder)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04" + bytes(100)])
def test_damaged_file(tmp_path: Path, content: bytes) -> None:
    folder = write_release(tmp_path, 2)
    (folder / "denoiser.hdf5").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"cannot be read as a Keras HDF5 weight file.*download"):
        import_keras(folder)


def test_what_the_hdf5_library_takes_from_a_damaged_file_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_release(tmp_path, 2)
    greedy = tmp_path / "greedy.py"
    greedy.write_text(PROCESS.read_text().replace("= read_all(paths)", "= bytes(2**31), []"))
    monkeypatch.setattr("napari_ldseg.exchange.keras._hdf5.PROCESS", greedy)
    with pytest.raises(CheckpointError, match="too much memory, or ended the HDF5 library"):
        import_keras(folder)


def test_names_cut_into_parts_as_keras_does(tmp_path: Path) -> None:
    folder = write_release(tmp_path, 2)
    expected = import_keras(folder).state_dict()
    with h5py.File(folder / "denoiser.hdf5", "r+") as file:
        names = file.attrs["layer_names"]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:7], names[7:]
    found = import_keras(folder).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_release(tmp_path, 2)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(CheckpointError, match=r"pip install 'napari-ldseg\[keras\]'"):
        import_keras(folder)


def test_loading_a_model_needs_no_h5py() -> None:
    code = "import sys, napari_ldseg.cli; from napari_ldseg import load_model; sys.exit('h5py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_folder_of_keras_files_says_how_to_import_it(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="napari-ldseg import keras"):
        load_model(folder)


def test_builder_writes_what_it_says() -> None:
    file = KerasFile(2)
    file.conv(1, 2)
    file.conv(2, 3)
    assert [name for name, _ in file.layers] == ["conv2d", "conv2d_1"]
