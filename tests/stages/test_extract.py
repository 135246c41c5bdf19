import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from landmarks.config import load_config
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.stages import extract as module
from landmarks.stages.extract import extract
from landmarks.store import lock
from landmarks.store.artefact import Artefact, read_manifest
from landmarks.store.descriptors import read_descriptors

SHAPES = [(60, 90), (90, 60), (64, 64), (60, 90), (30, 100), (61, 90)]
IDS = {"train": [f"a{n:03d}" for n in range(5)], "index": [f"b{n:03d}" for n in range(11)], "test": ["c000"]}


@pytest.fixture
def overrides(tmp_path, save_untrained):
    """A data set of 17 small photos and an untrained model, as settings for `load_config`."""
    generator = np.random.default_rng(0)
    for split, ids in IDS.items():
        for number, id in enumerate(ids):
            path = image_path(tmp_path / "data", split, id)
            path.parent.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(generator.integers(0, 256, (6, 6, 3), dtype=np.uint8))
            coarse.resize(SHAPES[number % len(SHAPES)][::-1], Image.Resampling.BICUBIC).save(path)
    for split in ("index", "test"):
        (tmp_path / "data" / f"{split}.csv").write_text("\n".join(["id", *IDS[split]]) + "\n")
    (tmp_path / "data" / "train.csv").write_text("\n".join(["id,landmark_id", *[f"{id},7" for id in IDS["train"]]]) + "\n")
    settings = [
        f"dataset.folder={tmp_path / 'data'}",
        f"run.folder={tmp_path / 'run'}",
        "models.tiny.backbone=test_resnet",
        "models.tiny.dimensions=16",
        "models.tiny.pretrained=false",
        "extract.longest_side=96",
        "extract.scales=[0.5,1.0]",
        "extract.shard_images=4",
        "extract.batch_size=3",
        "extract.workers=0",
        "run.device=cpu",
    ]
    save_untrained(settings)
    return settings


def run(overrides, *more):
    return extract(load_config(None, [*overrides, *more]))


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.npy"))}


def index_matrix(folders):
    return np.asarray(read_descriptors(folders[1]).matrix, np.float64)


def assert_nearly_equal(one, other):
    """Convolutions sum in another order in another batch: 1e-7 in float32, seen as the last bit of a few float16 values."""
    cosines = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert one.shape == other.shape and (1 - cosines).max() < 1e-7


def test_every_split_is_described_in_order(overrides, tmp_path, capsys):
    folders = run(overrides)
    assert folders == [tmp_path / "run" / "descriptors" / "tiny" / split for split in ("train", "index", "test")]
    for folder in folders:
        descriptors, manifest = read_descriptors(folder), read_manifest(folder)
        assert descriptors.ids.tolist() == IDS[folder.name]
        assert descriptors.matrix.dtype == np.float16 and descriptors.matrix.shape == (len(IDS[folder.name]), 16)
        np.testing.assert_allclose(np.linalg.norm(np.asarray(descriptors.matrix, float), axis=1), 1, atol=1e-3)
        assert manifest["images"] == len(descriptors.ids) and manifest["dimensions"] == 16 and manifest["skipped"] == {}
        assert manifest["settings"] == {
            "longest_side": 96,
            "scales": [0.5, 1.0],
            "shard_images": 4,
            "precision": "float32",
        }
    assert [len(np.load(path)) for path in sorted(folders[1].glob("*.npy"))] == [4, 4, 3]
    assert "extract on cpu: run.device=cpu; float32" in capsys.readouterr().out


def test_a_finished_run_is_left_alone(overrides, capsys):
    folders = run(overrides)
    before = [(path, path.stat().st_mtime_ns) for folder in folders for path in sorted(folder.iterdir())]
    assert run(overrides, "extract.batch_size=2") == folders
    assert [(path, path.stat().st_mtime_ns) for folder in folders for path in sorted(folder.iterdir())] == before
    assert "descriptors/tiny/index: up to date" in capsys.readouterr().out


def test_batch_size_and_workers_do_not_matter(overrides, tmp_path):
    reference = index_matrix(run(overrides))
    for number, batch_size in enumerate((1, 2, 32)):
        link_model(tmp_path, f"run{number}")
        other = run(overrides, f"extract.batch_size={batch_size}", "extract.workers=1", f"run.folder={tmp_path / f'run{number}'}")
        assert_nearly_equal(index_matrix(other), reference)


def test_an_interrupted_run_continues_where_it_stopped(overrides, capsys):
    folder = run(overrides)[1]
    before = shards(folder)
    for name in ("00001.npy", "manifest.json", "ids.csv"):
        (folder / name).unlink()
    kept = (folder / "00000.npy").stat().st_mtime_ns
    assert run(overrides)[1] == folder
    assert shards(folder) == before and (folder / "00000.npy").stat().st_mtime_ns == kept
    assert read_descriptors(folder).ids.tolist() == IDS["index"]
    assert "descriptors/tiny/index: 2 of 3 shards are there" in capsys.readouterr().out


def damage(tmp_path, id="b005"):
    path = image_path(tmp_path / "data", "index", id)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path, data


def test_a_damaged_picture_stops_the_run_and_nothing_is_lost(overrides, tmp_path):
    path, data = damage(tmp_path)
    with pytest.raises(UserError, match="truncated") as caught:
        run(overrides)
    assert caught.value.where == path and "extract.on_error=skip" in caught.value.next
    folder = tmp_path / "run" / "descriptors" / "tiny" / "index"
    assert list(shards(folder)) == ["00000.npy"]
    path.write_bytes(data)
    assert index_matrix(run(overrides)).shape == (11, 16)


def test_damaged_and_missing_pictures_can_be_skipped(overrides, tmp_path, capsys):
    whole = read_descriptors(run(overrides)[1])
    link_model(tmp_path, "skipping")
    damage(tmp_path)
    for id in IDS["index"][8:]:  # a whole shard
        image_path(tmp_path / "data", "index", id).unlink()
    folder = run(overrides, "extract.on_error=skip", "extract.workers=1", f"run.folder={tmp_path / 'skipping'}")[1]
    found = read_descriptors(folder)
    assert found.ids.tolist() == [id for id in IDS["index"][:8] if id != "b005"]
    assert_nearly_equal(np.asarray(found.matrix, float), np.asarray(whole.for_ids(found.ids).matrix, float))
    skipped = read_manifest(folder)["skipped"]
    assert list(skipped) == ["b005", *IDS["index"][8:]] and "truncated" in skipped["b005"]
    assert list(json.loads((folder / "00001.skipped.json").read_text())) == ["b005"]
    assert "4 images skipped, first 'b005'" in capsys.readouterr().out


def test_a_picture_repaired_before_the_run_continues_is_described(overrides, tmp_path):
    path, data = damage(tmp_path)
    folder = run(overrides, "extract.on_error=skip")[1]
    path.write_bytes(data)
    for name in ("00001.npy", "manifest.json"):  # as if cut off between the list of skipped pictures and the rows
        (folder / name).unlink()
    run(overrides, "extract.on_error=skip")
    assert read_descriptors(folder).ids.tolist() == IDS["index"] and read_manifest(folder)["skipped"] == {}


def test_missing_pictures_are_found_before_the_work_begins(overrides, tmp_path):
    image_path(tmp_path / "data", "test", "c000").unlink()
    with pytest.raises(UserError, match="1 of 1 test images are missing"):
        run(overrides)
    assert not (tmp_path / "run" / "descriptors").exists()


def test_other_settings_replace_nothing_without_permission(overrides):
    run(overrides)
    with pytest.raises(UserError, match=r"settings.longest_side 96 -> 64"):
        run(overrides, "extract.longest_side=64")
    folder = run(overrides, "extract.longest_side=64", "run.overwrite=true")[0]
    assert read_manifest(folder)["settings"]["longest_side"] == 64


def test_where_another_process_makes_one_folder_none_is_touched(overrides, tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_PATIENCE", 0.1)
    folders = run(overrides)
    before = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    code = "import sys, pathlib, landmarks.store.lock as lock; lock.hold(pathlib.Path(sys.argv[1])); print(1, flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", code, folders[-1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    other.stdout.readline()
    with pytest.raises(UserError, match=f"being made by process {other.pid}"):
        run(overrides, "extract.longest_side=64", "run.overwrite=true")
    lock.let_go()  # as the command line does
    other.communicate(b"\n")
    (folders[-1] / lock.LOCK).unlink()
    assert [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders] == before
    run(overrides, "extract.longest_side=64", "run.overwrite=true")


def test_a_model_that_is_not_trained_is_an_error(overrides, tmp_path):
    (tmp_path / "run" / "models" / "tiny" / "manifest.json").unlink()
    with pytest.raises(UserError, match="not there, or not finished"):
        run(overrides)


def test_no_model_no_work(tmp_path):
    assert extract(load_config(None, [f"run.folder={tmp_path}"])) == []


@pytest.mark.parametrize(
    ("local", "jobs"),
    [
        ("{}", ["tiny/train", "tiny/index", "tiny/test", "fine/train", "fine/index", "fine/test"]),
        ("{images: all}", ["tiny/train", "tiny/index", "tiny/test", "fine/train", "fine/index + local", "fine/test + local"]),
        ("{images: all, splits: [train]}", ["tiny/train", "tiny/index", "tiny/test", "fine/train + local", "fine/index", "fine/test"]),
    ],
)
def test_local_features_come_from_the_same_pass_where_they_are_asked_for(overrides, tmp_path, monkeypatch, local, jobs):
    planned = []
    monkeypatch.setattr(module, "run_extraction", lambda config, stage, plan: planned.extend(plan("float32")))
    fine = Artefact(tmp_path / "run" / "models" / "fine", "train", {}, {})
    fine.begin()
    fine.finish()
    run(overrides, "models.fine={dimensions: 16, local: {dimensions: 32}}", f"extract.local={local}")
    assert [f"{job.model}/{job.split}" + (" + local" if job.local else "") for job in planned] == jobs
    assert all(job.descriptors for job in planned)


def link_model(tmp_path, name):
    """A second run folder with the same model."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "models").symlink_to(tmp_path / "run" / "models")
