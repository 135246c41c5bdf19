import pytest

from landmarks.errors import UserError
from landmarks.store.artefact import Artefact, read_manifest


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
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["recipe.json"]


def test_an_unfinished_artefact_has_no_manifest_to_read(tmp_path):
    with pytest.raises(UserError, match="not finished"):
        read_manifest(tmp_path)
