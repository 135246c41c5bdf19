import numpy as np
import pytest

from landmarks.errors import UserError
from landmarks.store.files import atomic_write, read_array, write_array, write_json, write_text


def test_a_file_that_was_not_finished_leaves_the_old_one_and_no_trace(tmp_path):
    write_json(tmp_path / "x.json", 1)
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "x.json") as aside:
        aside.write_text("half")
        raise RuntimeError
    assert (tmp_path / "x.json").read_text() == "1\n" and [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_arrays_that_are_cut_off_or_pickled_are_refused(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "whole.npy", np.zeros((100, 8)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:500])
    for name, message in (("objects", "not a whole"), ("cut", "not a whole"), ("none", "missing file")):
        with pytest.raises(UserError, match=message):
            read_array(tmp_path / f"{name}.npy")


def test_an_archive_of_arrays_is_no_array(tmp_path):
    with open(tmp_path / "index.npy", "wb") as file:
        np.savez(file, np.zeros(3))
    with pytest.raises(UserError, match="an archive of arrays, not one array"):
        read_array(tmp_path / "index.npy")


def test_what_is_written_is_read_back_in_folders_that_are_made(tmp_path):
    array = np.arange(6, dtype=np.float16).reshape(2, 3)
    write_array(tmp_path / "new" / "folder" / "a.npy", array)
    for mapped in (False, True):
        read = read_array(tmp_path / "new" / "folder" / "a.npy", mapped=mapped)
        assert read.dtype == np.float16 and (read == array).all() and isinstance(read, np.memmap) == mapped
    write_text(tmp_path / "t.txt", "é\n")
    write_json(tmp_path / "j.json", {"a": "é"})
    assert (tmp_path / "t.txt").read_bytes() == b"\xc3\xa9\n" and (tmp_path / "j.json").read_text("utf-8") == '{\n  "a": "é"\n}\n'


def test_objects_are_never_pickled(tmp_path):
    with pytest.raises(ValueError):
        write_array(tmp_path / "a.npy", np.array([{}], object))
    assert list(tmp_path.iterdir()) == []
