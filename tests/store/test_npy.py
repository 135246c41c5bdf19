import io
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from landmarks.errors import UserError
from landmarks.store.files import read_array, write_array


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def announcing(shape, descr="<f4", fortran=False):
    text = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def archive():
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3))
    return file.getvalue()


HOSTILE = {
    "four terabytes": announcing("(1000000000000, 1)"),
    "more than all memory": announcing("(9000000000000000000, 9000000000000000000)"),
    "none of very many": announcing("(0, 1180591620717411303424)"),
    "negative": announcing("(-1, 4)") + bytes(16),
    "cut off": npy(np.zeros((10, 4), np.float32))[:-1],
    "header alone": npy(np.zeros((10, 4), np.float32))[:128],
    "half a header": npy(np.zeros(3))[:20],
    "an archive": archive(),
    "the beginning of an archive": b"PK\x03\x04",
    "empty": b"",
    "text": b"id,images\n",
    "objects": announcing("(1,)", "|O") + b"\x80\x04}.",
    "nested": b"\x93NUMPY\x01\x00\x00\x20" + b"(" * 8192,
    "signs": b"\x93NUMPY\x01\x00\x00\x20" + b"-" * 8191 + b"1",
    "a later version": b"\x93NUMPY\x09\x00" + npy(np.zeros(3))[8:],
    "another language": b"\x93NUMPY\x01\x00\x10\x00" + b"{'descr: \xff\xff" + b" " * 10,
    "no dtype": announcing("(1,)", "no such type") + bytes(8),
}


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_whole_array_is_refused_without_taking_memory(tmp_path, name, mapped):
    (tmp_path / "a.npy").write_bytes(HOSTILE[name])
    with pytest.raises(UserError, match="not a whole .npy file of numbers") as raised:
        read_array(tmp_path / "a.npy", mapped=mapped)
    assert len(str(raised.value)) < 600 and raised.value.where == tmp_path / "a.npy"


def test_a_sparse_file_that_is_cut_off_by_a_byte_is_not_read(tmp_path):
    with open(tmp_path / "a.npy", "wb") as file:
        file.write(announcing("(500000000000, 2)"))
        file.truncate(file.tell() + 4 * 10**12 - 1)
    assert os.stat(tmp_path / "a.npy").st_blocks < 100
    with pytest.raises(UserError, match="4,000,000,000,000 bytes, and there are 3,999,999,999,999"):
        read_array(tmp_path / "a.npy")


DTYPES = [f"{order}{kind}" for order in "<>" for kind in ("f2", "f4", "f8", "i4", "i8", "u2")] + ["i1", "?", "<U3", ">U3"]


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))),
    st.booleans(),
)
def test_any_array_comes_back_in_native_byte_order(tmp_path_factory, array, fortran):
    path = tmp_path_factory.getbasetemp() / "any.npy"
    write_array(path, np.asfortranarray(array) if fortran else array)
    for mapped in (False, True):
        read = read_array(path, mapped=mapped)
        assert read.dtype.isnative and read.dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(read, array)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_any_damage_of_a_file_gives_an_array_or_a_refusal(tmp_path_factory, data):
    whole = bytearray(npy(np.arange(12, dtype=np.float32).reshape(3, 4)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.npy"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    for mapped in (False, True):
        try:
            assert isinstance(read_array(path, mapped=mapped), np.ndarray)
        except UserError as error:
            assert len(str(error)) < 1000
