from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import landmarks.rerank.pair_verifier as pair_verifier
import landmarks.stages.clean as module
from landmarks.config import load_config
from landmarks.stages.clean import clean
from landmarks.stages.extract import extract
from landmarks.store.artefact import read_manifest
from landmarks.store.local_features import LocalStore
from landmarks.store.tables import read_train


def photo(scene, number):
    """The scene, cut out a little further right and down each time."""
    coarse = np.random.default_rng(ord(scene)).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((224, 224), Image.Resampling.BICUBIC)
    return picture.crop((16 * number, 16 * number, 16 * number + 128, 16 * number + 128))


# Label 5: five photos of one place and a photo of nothing else. Label -2: photos that share nothing. Label 8: one place again, three
# photos of it. Label 9: alone.
SCENES = {5: "aaaaab", -2: "cdef", 8: "ggg", 9: "h"}
TRAIN = [(f"t{label:+d}{number}", label, photo(scene, number)) for label, scenes in SCENES.items() for number, scene in enumerate(scenes)]


@pytest.fixture
def overrides(delg_run):
    """14 training photos, described by an untrained DELG."""
    photos = {"train": {id: image for id, _, image in TRAIN}}
    photos |= {split: {f"{split}0": photo("z", 0)} for split in ("index", "test")}
    settings = [*delg_run(photos, {id: label for id, label, _ in TRAIN}), "clean.min_inliers=10", "clean.min_pairs=2"]
    extract(load_config(None, settings))
    return settings


def run(overrides, *more):
    return clean(load_config(None, [*overrides, *more]))


def test_photos_that_no_other_confirms_are_dropped_and_labels_that_have_none_left(overrides, tmp_path, capsys):
    path = run(overrides)
    assert path == tmp_path / "run" / "clean" / "train_clean.csv"
    assert path.read_text().splitlines() == ["landmark_id,images", "5,t+50 t+51 t+52 t+53 t+54", "8,t+80 t+81 t+82"]
    assert read_train(path).landmark_ids.tolist() == [5] * 5 + [8] * 3
    counts = pd.read_csv(path.with_name("per_label.csv"))
    assert counts.to_numpy().tolist() == [[-2, 4, 0, 4], [5, 6, 5, 1], [8, 3, 3, 0], [9, 1, 0, 1]]
    assert list(counts.columns) == ["landmark_id", "images", "kept", "dropped"]
    manifest = read_manifest(path.parent)
    assert (manifest["images"], manifest["kept"], manifest["pairs"]) == (14, 8, 6 * 5 + 4 * 3 + 3 * 2)
    local = LocalStore(tmp_path / "run" / "local" / "tiny" / "train")
    assert sorted(local.ids) == sorted(id for id, label, _ in TRAIN if label != 9), "an image alone in its label needs no features"
    said = capsys.readouterr().out
    assert "clean: 8 of 14 images and 2 of 4 labels stay" in said
    assert f"dataset.train_table={path} and another run.folder" in said and "at the 4,132,914 images of Google Landmarks v2" in said
    texts = [text.text or "" for text in ElementTree.parse(path.with_name("inliers.svg")).iter()]
    shares = [float(text.rpartition(" ")[2]) for text in texts if text.count(".") == 1 and ":" not in text]
    assert sum(shares) == pytest.approx(100, abs=0.1)


def test_the_table_that_it_writes_is_one_to_train_on(overrides):
    path = run(overrides)
    folders = extract(
        load_config(None, [*overrides, f"dataset.train_table={path}", f"run.folder={path.parent.parent}", "run.overwrite=true"])
    )
    assert read_manifest(folders[0])["images"] == 8


def test_what_is_up_to_date_is_left_alone_and_limits_verify_nothing_again(overrides, capsys, monkeypatch):
    path = run(overrides)
    before = path.stat().st_mtime_ns
    assert run(overrides) == path and path.stat().st_mtime_ns == before
    assert "clean: up to date" in capsys.readouterr().out
    monkeypatch.setattr(pair_verifier, "verify_pairs", None)
    monkeypatch.setattr(module, "open_index", None)
    run(overrides, "clean.min_images=4")
    assert read_train(path).landmark_ids.tolist() == [5] * 5
    run(overrides, "clean.min_pairs=5")
    assert read_train(path).ids.tolist() == [] and pd.read_csv(path.with_name("per_label.csv"))["kept"].sum() == 0


def test_the_search_continues_where_it_was_interrupted(overrides, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 3)
    whole = run(overrides).read_text()
    folder = tmp_path / "run" / "same_label"
    blocks = sorted(folder.glob("*.npy"))
    assert len(blocks) == 5
    for path in (*blocks[3:], folder / "manifest.json", tmp_path / "run" / "clean" / "manifest.json"):
        path.unlink()
    kept = [path.stat().st_mtime_ns for path in blocks[:3]]
    assert run(overrides).read_text() == whole
    assert [path.stat().st_mtime_ns for path in blocks[:3]] == kept and all(path.exists() for path in blocks)


def test_neighbours_and_pairs_can_be_fewer(overrides):
    run(overrides, "clean.pairs=2")
    folder = run(overrides, "clean.pairs=1")
    assert read_manifest(folder.parent)["pairs"] == 13 and read_train(folder).ids.tolist() == []


def test_where_no_two_images_share_a_label_nothing_stays(delg_run):
    photos = {"train": {"a": photo("a", 0), "b": photo("a", 1)}, "index": {"c": photo("c", 0)}, "test": {"d": photo("d", 0)}}
    settings = delg_run(photos, {"a": 1, "b": 2})
    extract(load_config(None, settings))
    assert run(settings).read_text() == "landmark_id,images\n"
