"""Descriptors of two models on disk as the vectors that are searched."""

import numpy as np
import pytest

from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.search.current import space_settings
from landmarks.search.descriptor_source import DescriptorSource
from landmarks.store.artefact import Artefact
from landmarks.store.descriptors import seal_shards, write_shard
from landmarks.store.tables import Tables, TrainTable

IDS = {split: np.array([f"{split}{n}" for n in range(6)], object) for split in ("train", "index", "test")}
MODELS = {"one": (4, 1.0), "two": (3, 2.0)}  # dimensions, weight


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def describe(run, model, split, matrix, skipped=(), settings=None):
    """The folder that `extract` leaves."""
    artefact = Artefact(run / "descriptors" / model / split, "extract", settings or {}, {})
    artefact.begin()
    rows = ~np.isin(IDS[split].astype(str), list(skipped))
    write_shard(artefact.folder, 0, matrix[rows], dict.fromkeys(skipped, "damaged"))
    artefact.finish(dimensions=matrix.shape[1], skipped=seal_shards(artefact.folder, IDS[split]))


@pytest.fixture
def run(tmp_path):
    """Six images a split, described by two models; the second skipped test2."""
    rng = np.random.default_rng(0)
    for split in IDS:
        for model, (dimensions, _) in MODELS.items():
            skipped = ("test2",) if (split, model) == ("test", "two") else ()
            describe(tmp_path / "run", model, split, rng.standard_normal((6, dimensions)), skipped)
    return tmp_path / "run"


def source(run, *more):
    models = ", ".join(f"{name}: {{weight: {weight}}}" for name, (_, weight) in MODELS.items())
    config = load_config(None, [f"dataset.folder={run.parent}", f"run.folder={run}", f"models={{{models}}}", *more])
    return DescriptorSource(config, Tables(run.parent, "train.csv", TrainTable(IDS["train"], np.zeros(6, int)), IDS["index"], IDS["test"]))


def raw(run, model, split):
    return np.load(run / "descriptors" / model / split / "00000.npy").astype(np.float64)


def test_models_are_joined_by_weight_and_an_image_that_one_of_them_skipped_is_left_out(run):
    found = source(run).vectors("test")
    assert found.ids.tolist() == [id for id in IDS["test"] if id != "test2"]
    one, two = np.delete(raw(run, "one", "test"), 2, axis=0), raw(run, "two", "test")
    np.testing.assert_allclose(found.matrix, unit(np.hstack([1.0 * unit(one), 2.0 * unit(two)])), atol=1e-6)
    np.testing.assert_array_equal(source(run).unwhitened("test").matrix, found.matrix)


def test_whitening_is_learned_on_train_or_on_index(run):
    on_train, on_index = (source(run, "whiten.dimensions=3", f"whiten.learned_on={split}") for split in ("train", "index"))
    assert on_train.vectors("test").matrix.shape == (5, 3)
    assert not np.allclose(on_train.vectors("test").matrix, on_index.vectors("test").matrix, atol=1e-3)
    centred = np.asarray(on_index.unwhitened("index").matrix)
    centred = centred - centred.mean(axis=0)
    axes = np.linalg.svd(centred.astype(np.float64))[2][:3]  # of the index, the largest variance first
    expected = unit((centred @ axes.T) / (centred @ axes.T).std(axis=0))
    found = np.asarray(on_index.vectors("index").matrix)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-3)


def test_another_set_of_skipped_images_and_what_whitening_is_learned_on_are_other_inputs(run):
    plain = source(run).inputs("index", "test")
    assert list(plain) == ["one/index", "one/test", "two/index", "two/test"]
    assert plain["two/test"].endswith(" without test2") and " " not in plain["one/test"]
    assert set(source(run, "whiten.dimensions=3").inputs("index")) == {"one/index", "one/train", "two/index", "two/train"}
    elsewhere = source(run, "whiten.dimensions=3", f"whiten.learned_on={run}").inputs("index")
    assert set(elsewhere) == {"one/index", "two/index", "whitening one", "whitening two"}
    assert elsewhere["whitening one"] == source(run).inputs("train")["one/train"]


def test_whitening_from_a_run_of_other_dimensions_is_refused(run, tmp_path):
    for model in MODELS:
        describe(tmp_path / "other", model, "train", np.random.default_rng(1).standard_normal((6, 9)))
    with pytest.raises(UserError, match="have 7 dimensions, those that whitening is learned on .* 18"):
        source(run, "whiten.dimensions=3", f"whiten.learned_on={tmp_path / 'other'}").vectors("index")


def test_distractors_described_at_another_size_are_refused(run, tmp_path):
    rng, far = np.random.default_rng(2), tmp_path / "far"
    for folder, side in ((run, 512), (far, 256)):
        for model, (dimensions, _) in MODELS.items():
            settings = {"longest_side": side, "scales": [1.0]}
            describe(folder / "again", model, "index", rng.standard_normal((6, dimensions)), settings=settings)
            describe(folder / "again", model, "test", rng.standard_normal((6, dimensions)))
    found = source(run / "again", f"dataset.distractors={far / 'again'}")
    assert len(found.unwhitened("index").ids) == 12
    with pytest.raises(UserError, match="described otherwise than the index: longest_side 256 and not 512"):
        next(found.distractor_vectors())
    assert list(source(run / "again").distractor_vectors()) == []


def test_settings_name_of_whitening_only_what_is_not_as_earlier_versions_had_it():
    config = load_config(None, ["models={one: {weight: 2}}", "whiten.dimensions=8"])
    assert space_settings(config.models, config.whiten) == {"weights": {"one": 2.0}, "whiten": {"dimensions": 8}}
    other = load_config(None, ["whiten={dimensions: 8, learned_on: index, power: 0.5}"])
    assert space_settings(other.models, other.whiten)["whiten"] == {"dimensions": 8, "learned_on": "index", "power": 0.5}
