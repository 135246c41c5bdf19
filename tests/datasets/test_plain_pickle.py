"""A pickle may run any code; ours may not."""

import collections
import os
import pickle
import pickletools

import numpy as np
import pytest

from landmarks.datasets.plain_pickle import read_plain_pickle
from landmarks.errors import UserError


class Calls:
    """Unpickles by calling a function: what a hostile pickle does."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def written(tmp_path, value, protocol=2):
    path = tmp_path / "gnd.pkl"
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_comes_as_it_went(tmp_path, protocol):
    value = {
        "imlist": ["all_souls_000013", "æ"],
        "gnd": [{"bbx": [136.5, 34.1, 648.5, 955.7], "easy": np.array([1, 2]), "hard": np.array([], np.int64), "junk": (3, None, True)}],
        "n": np.float64(2.5),
        "names": np.array(["a", "bc"]),
        "big": np.arange(12, dtype=">i4").reshape(3, 4),
        "raw": b"\x00\xff",
    }
    read = read_plain_pickle(written(tmp_path, value, protocol))
    assert read["imlist"] == value["imlist"] and read["gnd"][0]["bbx"] == value["gnd"][0]["bbx"] and read["raw"] == value["raw"]
    for name in ("easy", "hard"):
        np.testing.assert_array_equal(read["gnd"][0][name], value["gnd"][0][name])
    assert read["n"] == 2.5 and read["names"].tolist() == ["a", "bc"] and (read["big"] == value["big"]).all()


def test_arrays_as_numpy_1_wrote_them(tmp_path):
    """The published files were written with NumPy 1, whose modules had other names."""
    data = pickle.dumps({"easy": np.array([3, 4])}, protocol=0).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"numpy.core.multiarray" in data
    assert read_plain_pickle(written(tmp_path, data))["easy"].tolist() == [3, 4]


def test_bytes_as_python_2_wrote_them(tmp_path):
    assert read_plain_pickle(written(tmp_path, b"(dU\x06imlistp0\n(lU\x04all_p1\nas.")) == {"imlist": ["all_"]}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "hostile",
    [
        Calls(os.system, "touch {mark}"),
        Calls(eval, "open('{mark}', 'w')"),
        Calls(exec, "open('{mark}', 'w')"),
        Calls(os.open, "{mark}", os.O_CREAT),
        Calls(np.save, "{mark}", 1),
        Calls(np.load, "{mark}", None, True),
        Calls(getattr, np, "save"),
        Calls(__import__, "os"),
        collections.OrderedDict(a=1),
        np.random.default_rng(0),
    ],
)
def test_a_hostile_pickle_is_refused_and_nothing_of_it_runs(tmp_path, hostile, protocol):
    mark = tmp_path / "mark.npy"
    if isinstance(hostile, Calls):
        arguments = [part.replace("{mark}", str(mark)) if isinstance(part, str) else part for part in hostile.arguments]
        hostile = Calls(hostile.function, *arguments)
        if np in arguments:
            hostile = Calls(getattr, "text", "upper")
    path = written(tmp_path, {"gnd": [], "imlist": [hostile]}, protocol)
    with pytest.raises(UserError, match="refused: the pickle holds more than") as caught:
        read_plain_pickle(path)
    assert str(path) in str(caught.value) and not mark.exists()


def test_names_that_reach_through_allowed_modules_are_refused(tmp_path):
    for module, name in [
        ("numpy", "ndarray.tofile"),
        ("numpy", "load"),
        ("numpy", "fromfile"),
        ("numpy.core.multiarray", "fromfile"),
        ("_codecs", "lookup"),
        ("builtins", "getattr"),
        ("copyreg", "_reconstructor"),
    ]:
        data = b"\x80\x04\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93."
        pickletools.dis(data, out=open(os.devnull, "w"))  # a pickle as it should be
        with pytest.raises(UserError, match="refused"):
            read_plain_pickle(written(tmp_path, data))


def test_arrays_of_objects_are_refused(tmp_path):
    for value in (np.array([{"a": 1}, None], object), [np.array([[1], "b"], dtype=object)], {"x": np.zeros(2, [("a", object)])}):
        with pytest.raises(UserError, match="an array of objects"):
            read_plain_pickle(written(tmp_path, value))


def test_other_codecs_are_not_called(tmp_path):
    data = b"\x80\x02c_codecs\nencode\nX\x02\x00\x00\x00abX\x05\x00\x00\x00rot13\x86R."
    with pytest.raises(UserError, match="codec rot13"):
        read_plain_pickle(written(tmp_path, data))


@pytest.mark.parametrize("data", [b"", b"hello", b"\x80\x04}", pickle.dumps({"a": list(range(500))})[:-40], b"<html>404</html>"])
def test_a_damaged_file_is_named(tmp_path, data):
    path = written(tmp_path, data)
    with pytest.raises(UserError) as caught:
        read_plain_pickle(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="missing file"):
        read_plain_pickle(tmp_path / "gnd.pkl")


def test_a_list_that_holds_itself_ends(tmp_path):
    value = [1]
    value.append(value)
    read = read_plain_pickle(written(tmp_path, value))
    assert read[0] == 1 and read[1] is read
