import json
import shutil

import numpy as np
import pytest

from landmarks.errors import UserError
from landmarks.store.artefact import Artefact, read_manifest
from landmarks.store.files import write_array


def artefact(folder, **settings):
    return Artefact(folder, "search", settings, {"index": "abc"})


def test_it_is_complete_only_once_finished_and_only_for_its_own_recipe(tmp_path):
    made = artefact(tmp_path / "a", neighbours=100)
    made.begin()
    assert not made.is_complete()
    made.finish(queries=3)
    assert made.is_complete() and artefact(tmp_path / "a", neighbours=100).is_complete()
    assert not artefact(tmp_path / "a", neighbours=50).is_complete()
    assert not Artefact(tmp_path / "a", "search", {"neighbours": 100}, {"index": "abd"}).is_complete()
    manifest = read_manifest(tmp_path / "a")
    assert manifest["queries"] == 3 and manifest["settings"] == {"neighbours": 100} and "numpy" in manifest["versions"]


def test_partial_work_of_the_same_recipe_is_kept_and_of_another_cleared(tmp_path):
    artefact(tmp_path / "a", n=1).begin()
    (tmp_path / "a" / "00000.npy").write_bytes(b"part")
    artefact(tmp_path / "a", n=1).begin()
    assert (tmp_path / "a" / "00000.npy").exists()
    artefact(tmp_path / "a", n=2).begin()
    assert not (tmp_path / "a" / "00000.npy").exists()


def test_what_another_process_has_just_finished_is_not_begun_again(tmp_path):
    late, also_late = artefact(tmp_path / "a"), artefact(tmp_path / "a")
    assert not late.is_complete() and not also_late.is_complete()
    quick = artefact(tmp_path / "a")
    quick.begin()
    quick.finish()
    for use in (late.begin, also_late.reserve):
        with pytest.raises(UserError, match="another process has just finished it"):
            use()
    assert quick.is_complete() and sorted(path.name for path in (tmp_path / "a").iterdir()) == ["manifest.json", "recipe.json"]
    assert late.is_complete()
    late.begin()  # by one who knows: to add to it
    late.finish()


def test_what_took_long_is_not_cleared_unasked(tmp_path):
    artefact(tmp_path / "a", rate=1).begin()
    with pytest.raises(UserError, match=r"settings.rate 1 -> 2[\s\S]*run.overwrite=true"):
        artefact(tmp_path / "a", rate=2).begin(precious=True)
    artefact(tmp_path / "a", rate=2).begin(precious=True, overwrite=True)


def test_a_folder_of_somebody_else_is_never_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UserError, match="did not make"):
        artefact(tmp_path).begin()
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_another_stage_s_folder_is_never_cleared(tmp_path):
    Artefact(tmp_path / "a", "import", {}, {}).begin()
    (tmp_path / "a" / "train.csv").write_text("id,landmark_id\n")
    with pytest.raises(UserError, match="did not make"):
        Artefact(tmp_path / "a", "sample", {}, {}).begin()
    assert (tmp_path / "a" / "train.csv").exists()


def test_killed_while_it_began_or_cleared_it_can_begin_again(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".recipe.json.1.part").write_text("{")
    artefact(tmp_path / "a", n=1).begin()
    (tmp_path / "a" / "00000.npy").write_bytes(b"part")
    artefact(tmp_path / "a", n=2).begin()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [".lock", "recipe.json"]


def test_a_lock_left_by_a_kill_is_tidied_by_whoever_reads(tmp_path):
    made = artefact(tmp_path / "a")
    made.begin()
    made.finish()
    for read in (made.is_complete, lambda: read_manifest(tmp_path / "a")):
        (tmp_path / "a" / ".lock").touch()
        read()
        assert not (tmp_path / "a" / ".lock").exists()


def test_an_unfinished_artefact_has_no_manifest_to_read(tmp_path):
    with pytest.raises(UserError, match="not finished"):
        read_manifest(tmp_path)


def finished(folder, **arrays):
    made = artefact(folder)
    made.begin()
    for name, array in arrays.items():
        write_array(folder / "part" / f"{name}.npy", array)
    made.finish()
    return made


@pytest.mark.parametrize("damage", ["cut", "reversed", "grown", "deleted"])
def test_a_finished_folder_whose_files_changed_is_refused_with_the_commands(tmp_path, damage):
    made = finished(tmp_path / "a", x=np.arange(100), y=np.arange(3))
    path = tmp_path / "a/part/x.npy"
    whole = path.read_bytes()
    path.unlink()
    if damage != "deleted":
        path.write_bytes({"cut": whole[:-8], "reversed": whole[:-800] + whole[-800:][::-1], "grown": whole + b"0"}[damage])
    said = r"part/x\.npy.* is missing" if damage == "deleted" else r"part/x\.npy changed [\s\S]*adopt "
    for use in (made.is_complete, lambda: read_manifest(tmp_path / "a")):
        with pytest.raises(UserError, match=said) as error:
            use()
        assert f"rm -r {tmp_path / 'a'} && " in str(error.value)
    path.write_bytes(whole)
    assert made.is_complete()


def test_copies_are_read_once_and_their_times_noted(tmp_path):
    finished(tmp_path / "a", x=np.arange(100))
    shutil.copytree(tmp_path / "a", tmp_path / "b", copy_function=shutil.copyfile)
    before = json.loads((tmp_path / "b/manifest.json").read_text())["files"]
    assert artefact(tmp_path / "b").is_complete()
    after = json.loads((tmp_path / "b/manifest.json").read_text())["files"]
    size, time, digest = after["part/x.npy"]
    assert time == (tmp_path / "b/part/x.npy").stat().st_mtime_ns != before["part/x.npy"][1]
    assert [size, digest] == [before["part/x.npy"][0], before["part/x.npy"][2]]


def test_tables_that_may_be_edited_must_only_be_there(tmp_path):
    made = artefact(tmp_path / "a")
    made.begin()
    (tmp_path / "a/train.csv").write_text("id\n")
    (tmp_path / "a/test").mkdir()
    (tmp_path / "a/test/0.jpg").write_bytes(b"picture")
    made.finish(without=("test",), editable=True)
    (tmp_path / "a/train.csv").write_text("id\n1\n")
    (tmp_path / "a/test/0.jpg").unlink()
    assert made.is_complete()
    (tmp_path / "a/train.csv").unlink()
    with pytest.raises(UserError, match=r"train.csv[\s\S]*rm [^-]"):
        made.is_complete()


def test_an_artefact_within_an_artefact_is_its_own(tmp_path):
    made = finished(tmp_path / "a", x=np.arange(3))
    finished(tmp_path / "a" / "neighbours", y=np.arange(3))
    assert made.is_complete()
    assert list(json.loads((tmp_path / "a/manifest.json").read_text())["files"]) == ["part/x.npy"]
    made.begin()
    made.finish()
    assert list(json.loads((tmp_path / "a/manifest.json").read_text())["files"]) == ["part/x.npy"]


def test_a_manifest_of_an_earlier_version_is_trusted(tmp_path):
    made = finished(tmp_path / "a", x=np.arange(3))
    manifest = json.loads((tmp_path / "a/manifest.json").read_text())
    del manifest["files"]
    (tmp_path / "a/manifest.json").write_text(json.dumps(manifest))
    assert made.is_complete()


def test_what_this_process_has_finished_it_may_begin_again(tmp_path):
    artefact = Artefact(tmp_path / "made", "stage", {"a": 1}, {})
    assert not artefact.is_complete()
    for count in (1, 2):
        artefact.begin()
        artefact.finish(count=count)
    assert artefact.is_complete() and read_manifest(tmp_path / "made")["count"] == 2
