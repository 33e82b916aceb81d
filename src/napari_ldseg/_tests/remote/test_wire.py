import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from ...errors import InputError
from ...remote import PIECE, expand, identity, pack, piece_sizes, pieces, plain, squeeze, unpack
from ..builders import make_ramp


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", ">u2", "float32", "float64", ">f4", "float16"])
def test_an_array_crosses_bit_for_bit(dtype: str) -> None:
    array = make_ramp((5, 7, 3)).astype(dtype)[::2, ::-1]
    values, arrays = unpack(pack({"a": [1, None, "µ"]}, {"the array": array}))
    assert values == {"a": [1, None, "µ"]}
    assert arrays["the array"].shape == array.shape
    assert np.array_equal(arrays["the array"], array)
    assert arrays["the array"].dtype == array.dtype.newbyteorder("<")


def test_nan_and_empty_arrays_cross() -> None:
    _, arrays = unpack(pack(None, {"nan": np.array([np.nan, 1.0, -np.inf]), "empty": np.zeros((0, 3), np.uint8)}))
    assert np.array_equal(arrays["nan"], [np.nan, 1.0, -np.inf], equal_nan=True)
    assert arrays["empty"].shape == (0, 3)


def test_an_array_of_several_pieces_crosses() -> None:
    array = make_ramp((3, PIECE // 2), np.uint16)
    assert [len(piece) for piece in pieces(plain(array))] == piece_sizes(array.nbytes) == [PIECE] * 3
    assert np.array_equal(unpack(pack(1, {"a": array}))[1]["a"], array)


@pytest.mark.parametrize("array", [np.zeros(3, complex), np.array(["a"]), np.array([None])])
def test_what_is_no_number_does_not_cross(array: np.ndarray) -> None:
    with pytest.raises(InputError, match="only integers, booleans and floats"):
        plain(array)


def test_more_bytes_than_allowed_are_refused_before_they_are_expanded() -> None:
    message = pack(None, {"a": np.zeros(10**6)})
    assert len(message) < 10**5
    with pytest.raises(InputError, match="more than 1000 bytes"):
        unpack(message, 1000)


def test_the_name_of_an_image_tells_kind_and_shape_apart() -> None:
    names = {
        identity(*each) for each in [("uint8", (4, 2), ("a",)), ("uint8", (2, 4), ("a",)), ("int8", (4, 2), ("a",))]
    }
    assert len(names) == 3


def damage(data: st.DataObject, raw: bytearray) -> None:
    """Change some bytes."""
    changes = st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=8)
    for place, value in data.draw(changes):
        raw[place] = value


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_is_an_input_error_or_found_by_the_hash(data: st.DataObject) -> None:
    raw = bytes(range(256)) * 8
    packed = bytearray(squeeze(raw, data.draw(st.sampled_from([1, 2, 4, 8]))))
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(packed) - 1), st.integers(0, 255)), max_size=8)
    ):
        packed[place] = value
    cut = data.draw(st.integers(0, len(packed)))
    try:
        found = expand(bytes(packed[: cut or None]), len(raw))
    except InputError:
        return
    assert len(found) == len(raw)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_an_input_error(message: bytes) -> None:
    with pytest.raises(InputError):
        unpack(message)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_message_is_an_input_error_or_a_message(data: st.DataObject) -> None:
    message = bytearray(pack({"a": 1}, {"b": make_ramp((40,))}))
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(message) - 1), st.integers(0, 255)), max_size=4)
    ):
        message[place] = value
    try:
        _, arrays = unpack(bytes(message), 10**6)
    except InputError:
        return
    assert sum(array.nbytes for array in arrays.values()) <= 10**6
