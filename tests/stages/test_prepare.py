import json

import pytest

from landmarks.config import load_config
from landmarks.datasets.images import Pictures
from landmarks.errors import UserError
from landmarks.stages.prepare import prepare
from landmarks.store.tables import read_tables


@pytest.fixture
def run(tmp_path):
    """run(*overrides): prepare a folder of three pictures; returns the folder of the tables."""
    for name in ("a b.jpg", "part/c.png", "part/d.webp"):
        (tmp_path / "theirs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "theirs" / name).write_bytes(name.encode())
    fixed = ["dataset.source=pictures", f"dataset.folder={tmp_path / 'theirs'}", f"run.folder={tmp_path / 'run'}", "models.a={}"]
    return lambda *overrides: prepare(load_config(None, [*fixed, *overrides]))


def test_tables_are_written_to_the_run_folder_and_the_pictures_stay_where_they_are(run, tmp_path, capsys):
    folder = run()
    assert folder == tmp_path / "run" / "dataset" and "prepare: 0 queries, 3 index images of" in capsys.readouterr().out
    tables = read_tables(folder)
    assert tables.index_ids.tolist() == ["a_b", "part_c", "part_d"] and len(tables.test_ids) == len(tables.train.ids) == 0
    assert Pictures(folder, "index").path("part_c").read_bytes() == b"part/c.png"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["index"], manifest["queries"], manifest["settings"]["source"]) == (3, 0, "pictures")
    assert sorted(path.name for path in (tmp_path / "theirs").iterdir()) == ["a b.jpg", "part"]


def test_it_is_done_once_until_the_pictures_or_the_distractors_are_others(run, tmp_path, capsys):
    index = run() / "index.csv"
    before = index.stat().st_mtime_ns
    capsys.readouterr()
    run()
    assert "prepare: up to date" in capsys.readouterr().out and index.stat().st_mtime_ns == before
    (tmp_path / "theirs" / "e.jpg").touch()
    assert "e" in read_tables(run()).index_ids
    (tmp_path / "far" / "dataset").mkdir(parents=True)
    capsys.readouterr()
    folder = run(f"dataset.distractors={tmp_path / 'far'}")
    assert "up to date" not in capsys.readouterr().out
    assert (folder / "distractors").resolve() == tmp_path / "far" / "dataset"
    assert json.loads((folder / "manifest.json").read_text())["settings"]["distractors"] == str(tmp_path / "far")
    run()
    assert not (folder / "distractors").exists()


def test_tables_that_a_run_was_made_from_are_not_replaced(run, tmp_path):
    folder = run()
    made = tmp_path / "run" / "descriptors" / "a" / "index"
    made.mkdir(parents=True)
    (made / "recipe.json").touch()
    before = {path.name: path.read_bytes() for path in folder.glob("*.*")}
    (tmp_path / "theirs" / "e.jpg").touch()
    for change in ([], [f"dataset.distractors={tmp_path}"]):
        with pytest.raises(UserError, match="a dataset was made here otherwise") as caught:
            run(*change)
        assert "run.folder=ANOTHER, or run.overwrite=true" in caught.value.next
        assert {path.name: path.read_bytes() for path in folder.glob("*.*")} == before
    assert "e" in read_tables(run("run.overwrite=true")).index_ids


def test_a_folder_that_needs_no_preparing_is_refused(run, tmp_path):
    with pytest.raises(UserError, match="dataset.source=folder needs no preparing"):
        run("dataset.source=folder")
    assert not (tmp_path / "run").exists() and not (tmp_path / "theirs" / "index.csv").exists()
