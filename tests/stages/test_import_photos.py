"""From a folder of photos to tables that every other stage reads."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from landmarks.config import load_config
from landmarks.datasets.images import image_path, require_images
from landmarks.errors import UserError
from landmarks.stages.import_photos import import_photos
from landmarks.store.csv_files import read_csv
from landmarks.store.tables import read_tables


def scene(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((96, 72), Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path) -> Path:
    """Six photos of each of five landmarks."""
    for place in range(5):
        folder = tmp_path / "photos" / f"place {place}" / "summer"
        folder.mkdir(parents=True)
        for n in range(6):
            scene(10 * place + n).save(folder / f"{n}.jpg")
    return tmp_path / "photos"


def config_for(photos: Path, *overrides: str):
    return load_config(None, ["dataset.source=photos", f"dataset.folder={photos}", f"run.folder={photos.parent / 'run'}", *overrides])


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name, dtype=str, keep_default_na=False)


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_the_dataset_is_whole_and_says_the_truth(photos):
    folder = import_photos(config_for(photos))
    tables = read_tables(folder)
    labels = {hashlib.sha256(path.read_bytes()).hexdigest()[:16]: path.parts[-3] for path in photos.rglob("*.jpg")}
    assert sorted(np.concatenate([tables.ids(split) for split in ("train", "index", "test")])) == sorted(labels)
    for split in ("train", "index", "test"):
        require_images(folder, split, tables.ids(split))

    names = table(folder, "landmarks.csv").set_index("landmark_id")
    assert (names["in_train"] == "True").sum() == 4
    for id, landmark_id in zip(tables.train.ids, tables.train.landmark_ids, strict=True):
        assert names.loc[str(landmark_id), "name"] == labels[id]
        assert names.loc[str(landmark_id), "in_train"] == "True"

    solution = table(folder, "retrieval_solution.csv")
    assert list(solution["id"]) == list(tables.test_ids)
    for row in solution.itertuples():
        assert row.images.split() == [id for id in tables.index_ids if labels[id] == labels[row.id]] != []

    index_labels = table(folder, "index_image_to_landmark.csv")
    assert len(set(zip(index_labels["landmark_id"], index_labels["id"].map(labels), strict=True))) == 5
    assert not set(index_labels["landmark_id"]) & set(names.index)

    trained = {labels[id] for id in tables.train.ids}
    for row in table(folder, "query_groups.csv").itertuples():
        assert row.group == ("trained landmark" if labels[row.id] in trained else "held-out landmark")

    recognition = table(folder, "recognition_solution.csv")
    assert list(recognition["id"]) == list(tables.test_ids) and list(recognition["Usage"]) == list(solution["Usage"])
    for row in recognition.itertuples():
        assert row.landmarks == "" if labels[row.id] not in trained else names.loc[row.landmarks, "name"] == labels[row.id]
    assert set(recognition["landmarks"] == "") == {True, False}


def test_a_second_run_is_up_to_date_and_a_changed_photo_is_not(photos, capsys):
    folder = import_photos(config_for(photos))
    before = (folder / "manifest.json").stat().st_mtime_ns
    capsys.readouterr()
    import_photos(config_for(photos))
    assert "import: up to date" in capsys.readouterr().out
    assert (folder / "manifest.json").stat().st_mtime_ns == before
    scene(999).save(photos / "place 0" / "new.jpg")
    import_photos(config_for(photos))
    assert hashlib.sha256((photos / "place 0" / "new.jpg").read_bytes()).hexdigest()[:16] in manifest(folder)["sources"]


def test_the_bytes_of_a_jpeg_stay_and_other_formats_become_jpeg(photos):
    scene(100).save(photos / "place 0" / "a.PNG")
    scene(101).convert("RGBA").save(photos / "place 1" / "b.webp")
    scene(102).save(photos / "place 2" / "misnamed.png", "JPEG")
    folder = import_photos(config_for(photos))
    for id, name in manifest(folder)["sources"].items():
        split = next(split for split in ("train", "index", "test") if id in set(read_tables(folder).ids(split)))
        written = image_path(folder, split, id)
        with Image.open(written) as image:
            assert image.format == "JPEG" and image.size == (96, 72)
        if not name.endswith((".PNG", ".webp")):
            assert written.read_bytes() == (photos / name).read_bytes()
            assert written.stat().st_ino == (photos / name).stat().st_ino


def test_where_links_are_impossible_the_file_is_copied(photos, monkeypatch):
    def refuse(*_):
        raise OSError("cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    folder = import_photos(config_for(photos))
    id, name = next(iter(manifest(folder)["sources"].items()))
    assert [path.read_bytes() for path in folder.rglob(f"{id}.jpg")] == [(photos / name).read_bytes()]


def test_copies_count_once_and_a_photo_of_two_landmarks_counts_nowhere(photos, capsys):
    scene(3).resize((64, 48)).save(photos / "place 0" / "smaller.jpg")
    (photos / "place 0" / "same.jpg").write_bytes((photos / "place 0" / "summer" / "1.jpg").read_bytes())
    (photos / "place 1" / "stray.jpg").write_bytes((photos / "place 2" / "summer" / "1.jpg").read_bytes())
    folder = import_photos(config_for(photos))
    facts = manifest(folder)
    assert sorted(len(facts[key]) for key in ("near_duplicates", "two_landmarks")) == [2, 2]
    assert facts["two_landmarks"] == ["place 1/stray.jpg", "place 2/summer/1.jpg"]
    assert facts["train"] + facts["index"] + facts["test"] == 30 - 1
    assert "the same picture under two landmarks, left out of both: place 1/stray.jpg, place 2/summer/1.jpg" in capsys.readouterr().out


def test_identical_files_are_one_photo_even_when_near_duplicates_stay(photos):
    same = (photos / "place 0" / "summer" / "1.jpg").read_bytes()
    for name in ("x", "y"):
        (photos / "place 0" / f"{name}.jpg").write_bytes(same)
    scene(3).resize((64, 48)).save(photos / "place 0" / "smaller.jpg")
    facts = manifest(import_photos(config_for(photos, "photos.near_duplicate_bits=-1")))
    assert facts["near_duplicates"] == {"place 0/x.jpg": "place 0/summer/1.jpg", "place 0/y.jpg": "place 0/summer/1.jpg"}
    assert facts["train"] + facts["index"] + facts["test"] == 31


def test_an_unreadable_photo_stops_before_anything_is_written(photos):
    whole = (photos / "place 0" / "summer" / "1.jpg").read_bytes()
    (photos / "place 0" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="1 of 31 photos cannot be read") as caught:
        import_photos(config_for(photos))
    assert caught.value.where == photos / "place 0" / "cut.jpg"
    assert not (photos.parent / "run").exists()

    facts = manifest(import_photos(config_for(photos, "extract.on_error=skip")))
    assert list(facts["unreadable"]) == ["place 0/cut.jpg"]
    assert facts["train"] + facts["index"] + facts["test"] == 30


def test_other_files_are_ignored_with_a_count(photos, capsys):
    for name in ("place 0/notes.txt", "place 1/._0.jpg", "loose.jpg"):
        (photos / name).write_bytes(b"")
    facts = manifest(import_photos(config_for(photos)))
    assert facts["passed_over"] == {".txt": 1, "hidden": 1, "photo in no landmark folder": 1}
    assert "ignored 3 files" in capsys.readouterr().out


@pytest.mark.parametrize(
    "names, message",
    [
        (None, "the photo folder does not exist"),
        ([], "no photos in landmark folders"),
        (["a.jpg", "b.jpg"], "no photos in landmark folders"),
        (["only/a.jpg", "only/b.jpg"], "in one landmark folder, 'only'"),
    ],
)
def test_another_layout_is_refused_with_the_one_expected(tmp_path, names, message):
    source = tmp_path / "photos"
    for name in names or []:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        scene(0).save(source / name)
    if names == []:
        source.mkdir()
    with pytest.raises(UserError, match=message) as caught:
        import_photos(config_for(source))
    assert "landmark name/photo.jpg" in caught.value.next


def test_the_dataset_never_lands_among_the_photos(photos):
    with pytest.raises(UserError, match="written into the photos"):
        import_photos(config_for(photos, f"run.folder={photos / 'run'}"))


@pytest.mark.parametrize("name", ["Rue\rBasse", "Rue\nBasse", 'Rue "Basse", 3', "\r", "Żółta\xa0\u2028"])
def test_a_landmark_of_any_name_is_one_row_of_the_table(photos, name):
    (photos / "place 3").rename(photos / name)
    folder = import_photos(config_for(photos))
    landmarks = sorted(["place 0", "place 1", "place 2", "place 4", name])
    assert sorted(table(folder, "landmarks.csv")["name"]) == landmarks
    with open(folder / "landmarks.csv", newline="", encoding="utf-8") as file:
        assert sorted(row["name"] for row in csv.DictReader(file)) == landmarks
    assert sorted(read_csv(folder / "landmarks.csv", ["name"])["name"].to_pylist()) == landmarks
