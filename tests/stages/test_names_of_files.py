"""Names that are not UTF-8, or of which no table can be made: written escaped, or refused before anything is written."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_pictures import encoded, scene

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.datasets.images import Pictures, require_images
from landmarks.errors import UserError
from landmarks.stages.import_photos import import_photos
from landmarks.stages.prepare import prepare
from landmarks.store.artefact import Artefact, read_manifest
from landmarks.store.csv_files import read_csv
from landmarks.store.tables import read_tables


def touch(folder, *names):
    for name in names:
        path = os.path.join(os.fsencode(folder), name if isinstance(name, bytes) else os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass


def prepared(folder, source="pictures", *overrides):
    """The folder of the tables, beside the authors' folder."""
    run = folder.parent / "run"
    fixed = [f"dataset.source={source}", f"dataset.folder={folder}", f"run.folder={run}", "models.a={}"]
    return prepare(load_config(None, [*fixed, *overrides]))


def refused(folder, match, source="pictures", *overrides):
    with pytest.raises(UserError, match=match) as caught:
        prepared(folder, source, *overrides)
    assert not (folder.parent / "run").exists(), "something was written"
    assert str(folder.parent / "run") not in str(caught.value), "the advice names what prepare makes"
    return caught.value


def test_photos_and_landmarks_with_names_of_other_encodings_are_imported_with_escaped_names(tmp_path):
    for landmark in (b"caf\xe9", b"tower"):
        os.makedirs(os.path.join(os.fsencode(tmp_path), b"photos", landmark))
        for number in range(5):
            with open(os.path.join(os.fsencode(tmp_path), b"photos", landmark, b"\xff%d.jpg" % number), "wb") as file:
                file.write(encoded("jpeg", np.roll(scene(60, 80, 7 * number + len(landmark)), 11 * number, axis=number % 2)))
    config = load_config(None, ["dataset.source=photos", f"dataset.folder={tmp_path / 'photos'}", f"run.folder={tmp_path / 'run'}"])
    folder = import_photos(config)
    assert sorted(read_csv(folder / "landmarks.csv", ["name"])["name"].to_pylist()) == ["caf\\xe9", "tower"]
    sources = read_manifest(folder)["sources"]
    assert sorted(sources.values())[0] == "caf\\xe9/\\xff0.jpg" and len(sources) == 10
    tables = read_tables(folder)
    for split in ("train", "index", "test"):
        require_images(folder, split, tables.ids(split))
    before = (folder / "manifest.json").stat().st_mtime_ns
    import_photos(config)
    assert (folder / "manifest.json").stat().st_mtime_ns == before


def test_manifests_hold_any_name_and_are_found_again(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    for _ in range(2):
        artefact = Artefact(tmp_path / "made", "prepare", {"pictures": f"/data/{name}"}, {})
        if not artefact.is_complete():
            artefact.begin()
            artefact.finish(sources={name: [name]})
    manifest = json.loads((tmp_path / "made" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["settings"]["pictures"] == "/data/caf\\xe9" and manifest["sources"] == {"caf\\xe9": ["caf\\xe9"]}
    assert Artefact(tmp_path / "made", "prepare", {"pictures": f"/data/{name}"}, {}).is_complete()


def test_tables_are_read_in_a_folder_of_any_name(tmp_path):
    folder = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), b"caf\xe9")))
    folder.mkdir()
    (folder / "index.csv").write_text("id,path\na,a.jpg\n")
    assert read_csv(folder / "index.csv", ["id"])["id"].to_pylist() == ["a"]
    (folder / "a.jpg").touch()
    require_images(folder, "index", np.array(["a"], object))


@pytest.mark.parametrize("setting", ["dataset.folder", "run.folder", "dataset.train_table", "dataset.distractors"])
def test_settings_that_no_utf8_file_can_hold_are_refused(tmp_path, monkeypatch, capsys, setting):
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", "dataset.source=pictures", f"{setting}={os.fsdecode(b'caf' + bytes([233]))}"]) == 2
    error = capsys.readouterr().err
    assert setting in error and "no UTF-8" in error and os.listdir(tmp_path) == []


def test_in_a_current_folder_of_another_encoding_nothing_is_begun(tmp_path, monkeypatch, capsys):
    here = os.path.join(os.fsencode(tmp_path), b"caf\xe9")
    os.mkdir(here)
    monkeypatch.chdir(here)
    assert main(["prepare", "dataset.source=pictures", "dataset.folder=pictures", "run.folder=run"]) == 2
    assert "current folder" in capsys.readouterr().err and os.listdir(here) == []


def test_a_picture_whose_name_no_table_can_hold_is_refused_by_name(tmp_path):
    for number, (name, match) in enumerate(
        [(b"caf\xe9.jpg", r"caf\\xe9.jpg holds bytes"), ("a\nb.jpg", "line break"), (".jpg", "no name")]
    ):
        folder = tmp_path / str(number) / "theirs"
        touch(folder, "sound.jpg", name)
        refused(folder, match)


@pytest.mark.parametrize("names", [("b.jpg", "b.png"), ("day one/a.jpg", "day_one/a.jpg"), ("x/y.webp", "x_y.webp"), ("a.JPG", "a.jpg")])
def test_two_pictures_of_one_id_are_named(tmp_path, names):
    touch(tmp_path / "theirs", "c.jpg", *names)
    error = refused(tmp_path / "theirs", "two index images would both have the id")
    assert all(f"'{name}'" in error.what for name in names) and error.where == tmp_path / "theirs"


def test_two_places_of_one_id_are_named(tmp_path):
    for part in ("database", "queries"):
        touch(tmp_path / "theirs" / part, "@1@2@a.jpg", "@1@2@b.jpg")
    touch(tmp_path / "theirs" / "queries", "@1@2@b.png")
    error = refused(tmp_path / "theirs", "two queries would both have the id 'queries@1@2@b'", "places")
    assert "'queries/@1@2@b.jpg'" in error.what and "'queries/@1@2@b.png'" in error.what


@pytest.mark.parametrize(
    "index, queries, match",
    [
        (["a", "day one"], ["q"], "index image 'day one' has a space"),
        (["a", "b,c"], ["q"], "index image 'b,c' has"),
        (["a", "../../x"], ["q"], r"index image '../../x' has"),
        (["a"], ["q 1"], "query 'q 1' has a space"),
        (["a", "b", "a"], ["q"], "two index images are the same picture, 'jpg/a.jpg'"),
        (["a"], ["q", "q"], "two queries are the same picture, 'jpg/q.jpg'"),
        (["a", "b"], ["b"], "an index image and a query are the same picture, 'jpg/b.jpg'"),
        (["a", ""], ["q"], "has no name"),
    ],
)
def test_a_ground_truth_of_which_no_stage_takes_tables_is_refused(tmp_path, index, queries, match):
    theirs = tmp_path / "theirs"
    for name in {*index, *queries}:
        touch(theirs / "jpg", f"{name}.jpg".replace("/", "_"))
    gnd = [{"bbx": [0, 0, 5, 5], "easy": [0], "hard": [], "junk": []} for _ in queries]
    (theirs / "gnd_roxford5k.pkl").write_bytes(pickle.dumps({"imlist": index, "qimlist": queries, "gnd": gnd}))
    refused(theirs, match, "revisited", "models={}")


def test_keys_of_msls_do_not_lead_out(tmp_path):
    for part in ("database", "query"):
        folder = tmp_path / "theirs" / "train_val" / "cph" / part
        folder.mkdir(parents=True)
        keys = ["a", "../../../../x"] if part == "query" else ["c"]
        tables = {
            "postprocessed": {"key": keys, "easting": "1", "northing": "2"},
            "raw": {"key": keys, "ca": "0", "pano": "False"},
            "seq_info": {"key": keys, "sequence_key": "s", "frame_number": list(range(len(keys)))},
            "subtask_index": {"all": ["True"] * len(keys)},
        }
        for name, table in tables.items():
            pd.DataFrame(table).to_csv(folder / f"{name}.csv", index=False)
    refused(tmp_path / "theirs", "is outside the dataset", "msls", "places.cities=[cph]")


def test_other_files_are_said_and_kept_in_the_manifest(tmp_path, capsys):
    touch(tmp_path / "theirs", "a.jpg", "b.bmp", "c.TIF", "d/e.tif", "LICENSE", "f.webp")
    os.mkfifo(tmp_path / "theirs" / "g.jpg")
    folder = prepared(tmp_path / "theirs")
    assert read_tables(folder).index_ids.tolist() == ["a", "f"]
    said = capsys.readouterr().out
    assert "passed over 5 files" in said and "1 .bmp, 2 .tif, 1 no regular file, 1 no suffix" in said
    assert read_manifest(folder)["passed_over"] == {".bmp": 1, ".tif": 2, "no suffix": 1, "no regular file": 1}


def test_a_folder_of_other_pictures_alone_says_what_it_has(tmp_path):
    touch(tmp_path / "theirs", "a.bmp", "b.tif")
    refused(tmp_path / "theirs", "no pictures; there are 2 files that are not .*: 1 .bmp, 1 .tif")


def test_a_link_back_to_the_folder_is_followed_once(tmp_path):
    touch(tmp_path / "theirs", "a.jpg", "x/b.jpg")
    (tmp_path / "theirs" / "x" / "back").symlink_to("..")
    assert read_tables(prepared(tmp_path / "theirs")).index_ids.tolist() == ["a", "x_b"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.sampled_from("ab ,\"'\\\t\n\r.é\u2028_"), min_size=1, max_size=5), min_size=1, max_size=5, unique=True))
def test_whatever_the_pictures_are_called_the_tables_are_read_or_the_names_refused(tmp_path_factory, names):
    theirs = tmp_path_factory.mktemp("names") / "theirs"
    touch(theirs, *(f"{name}.jpg" for name in names))
    try:
        folder = prepared(theirs)
    except UserError as error:
        assert error.where == theirs and error.next
        return
    ids = read_tables(folder).index_ids
    assert len(ids) == len(names)
    require_images(folder, "index", ids)
    assert {Path(path).name for path in Pictures(folder, "index").paths(ids)} == {f"{name}.jpg" for name in names}
