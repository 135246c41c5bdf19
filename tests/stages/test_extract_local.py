import re
import shutil
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest
from PIL import Image

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.models.checkpoint import build_model, save_model
from landmarks.processes import Processes
from landmarks.ranking import Ranking
from landmarks.search.rankings import read_ranking, write_ranking
from landmarks.stages import extract_local as module
from landmarks.stages.bundle import bundle
from landmarks.stages.extract import extract
from landmarks.stages.extract_local import extract_local
from landmarks.store.adopt import adopt
from landmarks.store.artefact import Artefact, read_manifest
from landmarks.store.descriptors import read_descriptors
from landmarks.store.local_features import LocalStore, local_model

IDS = {"train": [f"a{n:03d}" for n in range(3)], "index": [f"b{n:03d}" for n in range(9)], "test": ["c000", "c001"]}
SHAPES = [(60, 90), (90, 60), (64, 64), (5, 40)]  # the last one is too small for local features
SPLITS = ("train", "index", "test")
PREFIX = {"train": "r", "index": "i", "test": "t"}


@pytest.fixture
def overrides(delg_run):
    """14 small photos and an untrained DELG, as settings for `load_config`."""
    generator = np.random.default_rng(0)

    def photo(number):
        coarse = Image.fromarray(generator.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        return coarse.resize(SHAPES[number % len(SHAPES)][::-1], Image.Resampling.BICUBIC)

    photos = {split: {id: photo(number) for number, id in enumerate(ids)} for split, ids in IDS.items()}
    return [
        *delg_run(photos, dict.fromkeys(IDS["train"], 7)),
        "extract={longest_side: 96, scales: [0.5, 1.0], shard_images: 4, batch_size: 3, workers: 0}",
        "extract.local={scales: [0.5, 1.0, 1.4142], max_features: 20}",
    ]


def store(tmp_path, split, run="run"):
    return LocalStore(tmp_path / run / "local" / "tiny" / split)


def rank(tmp_path, returned):
    """A finished search that returned these index images for the first query, none for the second."""
    indices = np.full((2, 4), -1, np.int32)
    indices[0, : len(returned)] = returned
    scores = np.where(indices >= 0, np.arange(4, 0, -1), -np.inf).astype(np.float32)
    ids = (np.array(IDS[split], object) for split in ("test", "index"))
    settings = {"weights": {"tiny": 1.0}, "whiten": {"dimensions": 0}, "neighbours": 100}
    search = Artefact(tmp_path / "run" / "rankings" / "knn", "search", settings, {})
    search.begin()
    write_ranking(search.folder, Ranking(*ids, indices, scores))
    search.finish()


def all_of(overrides, *more):
    return extract(load_config(None, [*overrides, "extract.local.images=all", *more]))


def returned_of(overrides, *more):
    return extract_local(load_config(None, [*overrides, *more]))


def assert_same_features(one, other, tolerance=2e-3):
    assert one.offsets.tolist() == other.offsets.tolist()
    np.testing.assert_allclose(one.keypoints, other.keypoints, atol=tolerance)
    np.testing.assert_allclose(one.descriptors.astype(float), other.descriptors.astype(float), atol=tolerance)


def test_all_images_of_the_splits_are_described_in_the_pass_of_their_descriptors(overrides, tmp_path, capsys):
    folders = all_of(overrides)
    run = tmp_path / "run"
    descriptors, local = run / "descriptors" / "tiny", run / "local" / "tiny"
    assert folders == [descriptors / "train", descriptors / "index", local / "index", descriptors / "test", local / "test"]
    assert read_descriptors(descriptors / "index").ids.tolist() == IDS["index"]
    found = store(tmp_path, "index")
    assert found.ids.tolist() == IDS["index"] and not (local / "train").exists()
    assert [count for count, shape in zip(found.counts(), 3 * SHAPES) if shape[0] == 5] == [0, 0]
    assert 0 < found.counts().max() <= 20
    features = found.for_ids(found.ids)
    assert features.descriptors.dtype == np.float16 and features.descriptors.shape[1] == 32
    np.testing.assert_allclose(np.linalg.norm(features.descriptors.astype(float), axis=1), 1, atol=2e-3)
    for number, (height, width) in zip(range(9), 3 * SHAPES):
        of_image = features.keypoints[features.offsets[number] : features.offsets[number + 1]]
        assert (of_image[:, 0] > -40).all() and (of_image[:, 0] < width + 40).all() and (of_image[:, 1] < height + 40).all()
        assert (np.diff(of_image[:, 3]) <= 0).all(), "the highest attention first"
    manifest = read_manifest(local / "index")
    assert manifest["images"] == 9 and manifest["features"] == len(features.keypoints) and manifest["skipped"] == {}
    said = capsys.readouterr().out
    assert re.search(r"local features: up to [\d.]+ kB of disk, ", said)
    assert f"local/tiny/index: {len(features.keypoints)} features of 9 images" in said
    all_of(overrides)
    assert "descriptors/tiny/index and local/tiny/index: up to date" in capsys.readouterr().out


def test_descriptors_are_those_of_a_run_without_local_features(overrides, tmp_path):
    all_of(overrides, "extract.local.scales=[0.5,1.0]")  # at the same largest scale
    with_local = read_descriptors(tmp_path / "run" / "descriptors" / "tiny" / "index")
    shutil.rmtree(tmp_path / "run" / "descriptors")
    extract(load_config(None, overrides))
    alone = read_descriptors(tmp_path / "run" / "descriptors" / "tiny" / "index")
    np.testing.assert_allclose(np.asarray(with_local.matrix, float), np.asarray(alone.matrix, float), atol=1e-3)


def test_local_features_join_descriptors_that_are_there(overrides, tmp_path, capsys):
    extract(load_config(None, overrides))
    before = (tmp_path / "run" / "descriptors" / "tiny" / "index" / "00000.npy").stat().st_mtime_ns
    all_of(overrides)
    assert (tmp_path / "run" / "descriptors" / "tiny" / "index" / "00000.npy").stat().st_mtime_ns == before
    assert store(tmp_path, "index").ids.tolist() == IDS["index"]


@pytest.mark.parametrize("mode", ["all", "returned"])
def test_the_same_place_is_found_in_a_photo_and_in_its_enlargement(overrides, tmp_path, mode):
    """Decoded at a quarter, cropped to its bucket, at several scales: coordinates are those of the file."""
    path = image_path(tmp_path / "data", "index", "b000")
    coarse = Image.fromarray(np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    coarse.resize((130, 90), Image.Resampling.BICUBIC).save(path, quality=95)
    coarse.resize((650, 450), Image.Resampling.BICUBIC).save(image_path(tmp_path / "data", "index", "b001"), quality=95)
    rank(tmp_path, [0, 1])
    settings = "extract.local.scales=[1.0,1.4142]", "extract.local.max_features=500"
    all_of(overrides, *settings) if mode == "all" else returned_of(overrides, *settings)
    features = store(tmp_path, "index").for_ids(np.array(["b000", "b001"], object))
    small, large = slice(0, features.offsets[1]), slice(features.offsets[1], None)
    similarity = features.descriptors[small].astype(np.float32) @ features.descriptors[large].astype(np.float32).T
    nearest = similarity.argmax(axis=1)
    mutual = similarity.argmax(axis=0)[nearest] == np.arange(len(nearest))
    assert mutual.sum() > 20
    places = features.keypoints[small][mutual, :2], features.keypoints[large][nearest[mutual], :2]
    apart = np.abs((places[0] + 0.5) * 5 - 0.5 - places[1])
    assert np.median(apart) < 2, "pixels of the enlargement: less than half a pixel of the small one"


def test_only_queries_and_what_they_found_are_described_and_later_ones_added(overrides, tmp_path, capsys):
    rank(tmp_path, [7, 2, 5])
    assert returned_of(overrides) == [tmp_path / "run" / "local" / "tiny" / split for split in ("test", "index")]
    first = store(tmp_path, "index")
    assert first.ids.tolist() == ["b002", "b005", "b007"] and store(tmp_path, "test").ids.tolist() == IDS["test"]
    kept = first.for_ids(first.ids)
    rank(tmp_path, [7, 1, 8, 2])
    returned_of(overrides)
    grown = store(tmp_path, "index")
    assert sorted(grown.ids) == ["b001", "b002", "b005", "b007", "b008"]
    assert_same_features(grown.for_ids(first.ids), kept, tolerance=0)
    capsys.readouterr()
    returned_of(overrides)
    assert "local/tiny/index: up to date" in capsys.readouterr().out
    all_of(overrides)
    complete = store(tmp_path, "index")
    assert sorted(complete.ids) == IDS["index"], "each once"
    gathered = complete.for_ids(complete.ids)
    shutil.rmtree(tmp_path / "run" / "local")
    all_of(overrides)
    assert_same_features(store(tmp_path, "index").for_ids(complete.ids), gathered)


def test_int8_is_nearly_the_same_in_less_space(overrides, tmp_path):
    rank(tmp_path, [0, 1, 2])
    returned_of(overrides)
    wide = store(tmp_path, "index")
    whole = wide.for_ids(wide.ids)
    with pytest.raises(UserError, match="settings.storage 'float16' -> 'int8'"):
        returned_of(overrides, "extract.local.storage=int8")
    returned_of(overrides, "extract.local.storage=int8", "run.overwrite=true")
    small = store(tmp_path, "index").for_ids(wide.ids)
    assert small.descriptors.dtype == np.int8 and small.offsets.tolist() == whole.offsets.tolist()
    restored = small.descriptors * small.factors[:, None]
    np.testing.assert_allclose(restored, whole.descriptors.astype(np.float32), atol=0.01)


def test_an_interrupted_run_continues_where_it_stopped(overrides, tmp_path, capsys):
    all_of(overrides)
    folder = tmp_path / "run" / "local" / "tiny" / "index"
    whole = store(tmp_path, "index").for_ids(np.array(IDS["index"], object))
    parts = sorted(folder.glob("*.offsets.npy"))
    parts[1].unlink()
    kept = parts[0].stat().st_mtime_ns
    (folder / "manifest.json").unlink()
    all_of(overrides)
    assert parts[0].stat().st_mtime_ns == kept and parts[1].exists()
    assert_same_features(store(tmp_path, "index").for_ids(np.array(IDS["index"], object)), whole)
    assert "2 of 3 shards are there" in capsys.readouterr().out


def test_damaged_pictures_stop_the_run_or_are_listed(overrides, tmp_path):
    rank(tmp_path, [0, 1, 2])
    path = image_path(tmp_path / "data", "index", "b001")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="truncated"):
        returned_of(overrides)
    returned_of(overrides, "extract.on_error=skip")
    found = store(tmp_path, "index")
    assert found.ids.tolist() == ["b000", "b002"] and list(read_manifest(found.folder)["skipped"]) == ["b001"]
    path.write_bytes(data)
    returned_of(overrides)
    assert sorted(store(tmp_path, "index").ids) == ["b000", "b001", "b002"] and read_manifest(found.folder)["skipped"] == {}


def test_a_disk_that_is_too_small_is_refused_before_the_work(overrides, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000, 0, 1000))
    with pytest.raises(UserError, match="local features take up to [\\d.]+ kB of disk, 1 kB are free") as caught:
        all_of(overrides)
    for setting in ("extract.local.storage=int8", "extract.local.max_features=10", "extract.local.images=returned"):
        assert setting in caught.value.next
    assert not list((tmp_path / "run").rglob("*.npy"))


def test_two_processes_share_the_work_and_make_the_same(overrides, tmp_path):
    all_of(overrides)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "models").symlink_to(tmp_path / "run" / "models")
    (tmp_path / "go.py").write_text(
        "import sys\nfrom pathlib import Path\nfrom accelerate import PartialState\nfrom landmarks.config import load_config\n"
        "from landmarks.stages.extract import extract\nextract(load_config(None, sys.argv[1:]))\n"
        "Path(__file__).with_name(f'rank{PartialState().process_index}of{PartialState().num_processes}').touch()\n"
    )
    # --multi_gpu also where there is none: with --cpu Accelerate quietly starts a single process.
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes=2",
        "--num_machines=1",
        "--mixed_precision=no",
        "--dynamo_backend=no",
        "--main_process_port=0",
    ]
    done = subprocess.run(
        [*launch, str(tmp_path / "go.py"), *overrides, "extract.local.images=all", f"run.folder={tmp_path / 'shared'}"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.glob("rank*")) == ["rank0of2", "rank1of2"]
    assert done.stdout.count("descriptors/tiny/index: 9 descriptors of 16 dimensions") == 1  # only the first process prints
    for split in SPLITS:
        alone, together = (read_descriptors(tmp_path / run / "descriptors" / "tiny" / split) for run in ("run", "shared"))
        assert together.ids.tolist() == IDS[split]
        np.testing.assert_allclose(np.asarray(together.matrix, float), np.asarray(alone.matrix, float), atol=1e-3)
    alone, together = store(tmp_path, "index"), store(tmp_path, "index", run="shared")
    assert together.ids.tolist() == IDS["index"] and len(list(together.folder.glob("*.offsets.npy"))) == 3
    assert_same_features(together.for_ids(together.ids), alone.for_ids(together.ids))


def test_without_a_local_branch_there_is_nothing_to_make(overrides, tmp_path):
    rank(tmp_path, [0])
    with pytest.raises(UserError, match="no model has a local branch"):
        returned_of(overrides, "models={tiny: {backbone: test_resnet}}")
    plain = load_config(None, ["models.tiny={backbone: test_resnet, dimensions: 16, pretrained: false}"]).models["tiny"]
    trained = tmp_path / "run" / "models" / "tiny"
    save_model(trained, build_model(plain), plain)
    adopt(trained)
    with pytest.raises(UserError, match="trained without a local branch"):
        returned_of(overrides)


def test_of_several_models_one_is_named(overrides):
    two = [*overrides, "models.other={local: {}}"]
    with pytest.raises(UserError, match="the models tiny, other have local features"):
        returned_of(two)
    with pytest.raises(UserError, match="'oter' has none"):
        returned_of(two, "verification.model=oter")
    config = load_config(None, [*two, "verification.model=other"])
    assert local_model(config.models, config.verification.model) == "other"


def test_training_images_are_described_where_fuse_learns_from_inliers(delg_run, tmp_path, capsys):
    generator = np.random.default_rng(1)
    places = [generator.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(8)]

    def photo(number):
        other = np.roll(places[number % 8], number // 8, axis=1)
        return Image.fromarray(np.clip(other + generator.normal(0, 8, other.shape), 0, 255).astype(np.uint8)).resize((96, 96))

    photos = {
        split: {f"{PREFIX[split]}{n:03d}": photo(n) for n in range(count)} for split, count in (("train", 48), ("index", 24), ("test", 8))
    }
    settings = [*delg_run(photos, {id: n % 8 for n, id in enumerate(photos["train"])}), "search.neighbours=5"]
    (tmp_path / "empty.yaml").write_text("{}\n")
    chain = "rerank=[{step: verify, top: 3, weight: 0.2}, {step: fuse, classifier: false, trees: 5}]"
    for stage in ("extract", "search", "extract-local", "rerank"):
        assert main([stage, "--config", str(tmp_path / "empty.yaml"), *settings, chain]) == 0
    said = capsys.readouterr().out
    assert "fuse: mAP of 8 pseudo-queries" in said
    described = store(tmp_path, "train").ids
    assert 8 < len(described) < 48, "those of the pseudo-queries' lists, no others"
    assert len(list((tmp_path / "run" / "pairs" / "tiny").glob("train-train-*"))) == 1
    assert len(read_ranking(tmp_path / "run" / "rankings" / "verify(top=3,weight=0.2)+fuse(trees=5,classifier=False)").indices) == 8
    with pytest.raises(UserError, match="put verify behind fuse"):
        bundle(load_config(None, [*settings, chain]))


@pytest.mark.parametrize("number, asked", [(0, "make_chain"), (1, "await_chain")])
def test_the_first_process_alone_makes_the_rankings_before_verification(overrides, tmp_path, monkeypatch, number, asked):
    rank(tmp_path, [0])
    monkeypatch.setattr(module, "all_processes", lambda device: Processes(number))
    calls = []
    for name in ("make_chain", "await_chain"):
        monkeypatch.setattr(module, name, lambda *arguments, name=name: calls.append(name) or tmp_path / "run/rankings/knn")
    monkeypatch.setattr(module, "extract_features", lambda config, stage, model, wanted: wanted["index"].tolist())
    assert returned_of(overrides, "rerank=[{step: expand_query}, {step: verify}]") == ["b000"]
    assert calls == [asked]
