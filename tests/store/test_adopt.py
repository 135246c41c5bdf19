import numpy as np
import pytest

from landmarks.errors import UserError
from landmarks.store.adopt import adopt
from landmarks.store.artefact import Artefact, read_manifest
from landmarks.store.files import write_array


def finished(folder, **arrays):
    made = Artefact(folder, "search", {}, {"index": "abc"})
    made.begin()
    for name, array in arrays.items():
        write_array(folder / "part" / f"{name}.npy", array)
    made.finish()
    return made


def test_arrays_of_one_s_own_are_adopted_and_what_is_made_from_them_is_made_again(tmp_path):
    made = finished(tmp_path / "a", x=np.arange(100))
    before = made.fingerprint
    assert adopt(tmp_path / "a") == []
    np.save(tmp_path / "a/part/x.npy", np.arange(100)[::-1])
    assert adopt(tmp_path / "a") == ["part/x.npy"]
    assert made.is_complete() and made.fingerprint == read_manifest(tmp_path / "a")["fingerprint"] != before
    assert not (tmp_path / "a/.lock").exists()
    made.begin()  # made again it is its recipe's
    made.finish()
    assert made.fingerprint == before


def test_what_is_missing_cannot_be_adopted_nor_what_is_not_finished(tmp_path):
    finished(tmp_path / "a", x=np.arange(100))
    (tmp_path / "a/part/x.npy").unlink()
    with pytest.raises(UserError, match="is missing"):
        adopt(tmp_path / "a")
    with pytest.raises(UserError, match="no finished folder"):
        adopt(tmp_path)
    assert not list(tmp_path.rglob(".lock"))


def test_what_a_kill_left_goes_whether_or_not_something_is_adopted(tmp_path):
    made = finished(tmp_path / "a", x=np.arange(100))
    for array in (np.arange(100), np.arange(100)[::-1]):
        np.save(tmp_path / "a/part/x.npy", array)
        for name in (".lock", ".manifest.json.somewhere.1.part"):
            (tmp_path / "a" / name).touch()
        adopt(tmp_path / "a")
        assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["manifest.json", "part", "recipe.json"]
    assert made.is_complete()
