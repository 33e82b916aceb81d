"""Hostile model files: what to change in good ones, and what must hold whatever they have become.

Each attack gets hypothesis' source of choices, writes a file, loads it, and returns whether that worked. A refusal must
be a CheckpointError; code in a file must not run. ``test_fuzz.py`` makes a few of each,
``benchmarks/robustness/fuzz.py`` many.
"""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from hypothesis import strategies as st

from ..checkpoints import load_model, save_model
from ..errors import CheckpointError
from ..exchange import import_keras, import_torch
from .builders import join_safetensors, make_tiny_model, split_safetensors
from .keras_builders import denoiser, image_encoder, mask_decoder, mask_encoder, write_release

Attack = Callable[[st.DataObject], bool]
TENSOR = "mask_encoder.head.2.weight"
GLOBALS = (
    ("os", "system"),
    ("posix", "system"),
    ("subprocess", "call"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "getattr"),
    ("builtins", "bytearray"),
    ("pathlib", "Path"),
    ("torch", "load"),
    ("torch", "Tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch.storage", "UntypedStorage"),
    ("collections", "OrderedDict"),
    ("numpy", "fromfile"),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.integers(0, 40) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def make_attacks(folder: Path) -> dict[str, Attack]:
    """All attacks by name; they work in this folder."""
    makers = {
        "safetensors bytes": _safetensors_bytes,
        "safetensors header and settings": _settings,
        "HDF5 bytes": _hdf5_bytes,
        "HDF5 content": _hdf5_content,
        "PyTorch bytes": _torch_bytes,
        "PyTorch pickle": _torch_pickle,
    }
    attacks = {}
    for index, (name, maker) in enumerate(makers.items()):
        place = folder / str(index)
        place.mkdir(parents=True)
        attacks[name] = maker(place)
    return attacks


def _outcome(load: Callable[[], object], trap: Path) -> bool:
    try:
        load()
    except CheckpointError as error:
        assert str(error)  # noqa: PT017
        loaded = False
    else:
        loaded = True
    assert not trap.exists(), "code in the file was run"
    return loaded


def changed_bytes(data: st.DataObject, whole: bytes, head: int) -> bytes:
    """Truncate, cut, repeat or replace; half of the places lie in the first ``head`` bytes."""
    places = st.one_of(st.integers(0, head), st.integers(0, len(whole)))
    begin, end = sorted((data.draw(places), data.draw(places)))
    kind = data.draw(st.sampled_from(["truncate", "cut", "repeat", "replace", "replace", "number"]))
    if kind == "truncate":
        return whole[:end]
    if kind == "cut":
        return whole[:begin] + whole[end:]
    if kind == "repeat":
        return whole[:end] + whole[begin:]
    noise = data.draw(st.binary(min_size=1, max_size=8))
    if kind == "number":
        noise = struct.pack("<Q", data.draw(st.sampled_from([0, 1, 2**16, 2**31 - 1, 2**32, 2**40, 2**63, 2**64 - 1])))
    return whole[:begin] + noise + whole[begin + len(noise) :]


def _tiny() -> Any:
    widths = dict.fromkeys(("mask_widths", "decoder_widths", "image_widths", "denoiser_widths"), (4,))
    return make_tiny_model(2, **widths, denoiser_attention=(False,))


def _safetensors_bytes(folder: Path) -> Attack:
    path = folder / "tiny.safetensors"
    whole = save_model(_tiny(), path).read_bytes()
    head = 8 + int.from_bytes(whole[:8], "little")

    def attack(data: st.DataObject) -> bool:
        path.write_bytes(changed_bytes(data, whole, head))
        return _outcome(lambda: load_model(path), folder / "sprung")

    return attack


def _settings(folder: Path) -> Attack:
    """Any one value of the header, or of the settings in it (ours or the release's), is replaced by any other."""
    path = folder / "tiny.safetensors"
    ours = save_model(_tiny(), path).read_bytes()
    release = save_model(import_keras(_small_release(folder / "keras")), folder / "release.safetensors").read_bytes()

    def attack(data: st.DataObject) -> bool:
        header, body = split_safetensors(data.draw(st.sampled_from([ours, release])))
        config = json.loads(header["__metadata__"]["config"])
        tensor = header[data.draw(st.sampled_from(sorted(set(header) - {"__metadata__"})))]
        places = [header, header["__metadata__"], tensor, config, config["network"], config["network"], config["input"]]
        where = data.draw(st.sampled_from(places))
        where[data.draw(st.sampled_from(sorted(where)))] = data.draw(VALUES)
        if isinstance(header.get("__metadata__"), dict) and data.draw(st.booleans()):
            header["__metadata__"]["config"] = json.dumps(config)
        path.write_bytes(join_safetensors(header, body))
        return _outcome(lambda: load_model(path), folder / "sprung")

    return attack


def _small_release(folder: Path) -> Path:
    return write_release(
        folder,
        2,
        labelEncoder=mask_encoder(2, (4, 4), (2, 2)),
        labelDecoder=mask_decoder(2, (2,), 2),
        imageEncoder=image_encoder(2, 3, (4,)),
        denoiser=denoiser(2, (4,), (False,)),
    )


def _hdf5_bytes(folder: Path) -> Attack:
    keras = _small_release(folder / "keras")
    originals = {path: path.read_bytes() for path in sorted(keras.iterdir())}

    def attack(data: st.DataObject) -> bool:
        path = data.draw(st.sampled_from(list(originals)))
        path.write_bytes(changed_bytes(data, originals[path], len(originals[path]) // 4))
        try:
            return _outcome(lambda: import_keras(keras), folder / "sprung")
        finally:
            path.write_bytes(originals[path])

    return attack


def _hdf5_content(folder: Path) -> Attack:
    """A sound HDF5 file whose names, shapes, types or links are others."""
    keras = _small_release(folder / "keras")
    originals = {path: path.read_bytes() for path in sorted(keras.iterdir())}

    def attack(data: st.DataObject) -> bool:
        path = data.draw(st.sampled_from(list(originals)))
        try:
            with h5py.File(path, "r+") as file:
                _change_content(data, file)
            return _outcome(lambda: import_keras(keras), folder / "sprung")
        finally:
            path.write_bytes(originals[path])

    return attack


def _change_content(data: st.DataObject, file: Any) -> None:
    names = [name for name in file.attrs["layer_names"].tolist() if len(file[name])]
    group = file[data.draw(st.sampled_from(names))]
    weights = group.attrs["weight_names"].tolist()
    weight = data.draw(st.sampled_from(weights)).decode()
    kind = data.draw(st.sampled_from(["layers", "weights", "attribute", "shape", "type", "link", "group"]))
    if kind in ("layers", "weights"):
        target, key = (file, "layer_names") if kind == "layers" else (group, "weight_names")
        target.attrs[key] = data.draw(st.permutations(target.attrs[key].tolist()))[: data.draw(st.integers(0, 40))]
    elif kind == "attribute":
        value = data.draw(st.text(max_size=600).filter(lambda text: "\0" not in text) | st.integers(0, 2**31))
        group.attrs["weight_names"] = value
    else:
        del group[weight]
        if kind == "shape":
            shape = data.draw(st.lists(st.sampled_from([0, 1, 2, 3, 4, 8, 2**20]), max_size=6))
            # In chunks, because otherwise a shape of terabytes would be written.
            chunks = True if shape and min(shape) > 0 else None
            group.create_dataset(weight, tuple(shape), "f4", chunks=chunks)
        elif kind == "type":
            group.create_dataset(weight, data=np.zeros(4, data.draw(st.sampled_from(["i4", "f2", "f8", "c8", "S9"]))))
        elif kind == "link":
            group[weight] = data.draw(
                st.sampled_from([h5py.ExternalLink("/dev/zero", "/a"), h5py.SoftLink("/a"), h5py.SoftLink(group.name)])
            )
        else:
            group.create_group(weight)


def _torch_bytes(folder: Path) -> Attack:
    path, model = folder / "tiny.pt", _tiny()
    torch.save(model.state_dict(), path)
    whole = path.read_bytes()

    def attack(data: st.DataObject) -> bool:
        path.write_bytes(changed_bytes(data, whole, 2000))
        return _outcome(lambda: import_torch(path, model.config), folder / "sprung")

    return attack


def _torch_pickle(folder: Path) -> Attack:
    """A sound ZIP file of torch.save whose pickle calls something, or is damaged."""
    path, model, trap = folder / "tiny.pt", _tiny(), folder / "sprung"
    torch.save(model.state_dict(), path)
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    main = next(name for name in entries if name.endswith("data.pkl"))

    def attack(data: st.DataObject) -> bool:
        program = entries[main]
        if data.draw(st.booleans()):
            program = _call(data, trap) + (program[2:] if data.draw(st.booleans()) else b".")
        else:
            program = changed_bytes(data, program, len(program))
        if data.draw(st.integers(0, 9)) == 0:  # outside any ZIP file: an old file of torch.save, or a plain pickle
            path.write_bytes(program)
        else:
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                for name, content in entries.items():
                    archive.writestr(name, program if name == main else content)
            path.write_bytes(packed.getvalue())
        return _outcome(lambda: import_torch(path, model.config), trap)

    return attack


def _call(data: st.DataObject, trap: Path) -> bytes:
    """Return the opcodes that call some function with the command, or the code, that would make a file ``sprung``."""
    module, name = data.draw(st.sampled_from(GLOBALS))
    argument: object = data.draw(
        st.sampled_from([f"touch {trap}", f"open({str(trap)!r}, 'w')", str(trap), 10**11, -1, [trap.name] * 3])
    )
    arguments = pickle.dumps((argument,), protocol=2)[2:-1]
    return b"\x80\x02" + f"c{module}\n{name}\n".encode() + arguments + b"R"
