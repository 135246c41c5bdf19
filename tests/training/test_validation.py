import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from toy_training import configure, cut_off_at, journal, make_photos, weights

from landmarks.config import ModelSettings, TrainSettings, load_config
from landmarks.errors import UserError
from landmarks.stages.train import train
from landmarks.training import loop
from landmarks.training.held_out import hold_out
from landmarks.training.images import training_images
from landmarks.training.learner import create_learner
from landmarks.training.validation import Validation, mean_average_precision


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("toy"))


def twin(descriptors, labels, queries, gallery):
    """By the definition, one query after the other, in float64."""
    values = []
    for query in queries:
        others = [row for row in gallery if row != query]
        true = sum(labels[row] == labels[query] for row in others)
        if not true:
            continue
        similarities = descriptors[others].astype(float) @ descriptors[query].astype(float)
        hits, total = 0, 0.0
        for rank, place in enumerate(np.argsort(-similarities)[:100], start=1):
            if labels[others[place]] == labels[query]:
                hits += 1
                total += hits / rank
        values.append(total / min(true, 100))
    return np.mean(values)


@pytest.mark.parametrize("overlap", [False, True])
def test_the_score_is_that_of_its_definition(overlap):
    random = np.random.default_rng(0)
    labels = np.concatenate([random.integers(0, 5, 300), [77]])
    descriptors = random.standard_normal((301, 8)) + 0.5 * random.standard_normal((78, 8))[labels]
    descriptors = (descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)).astype(np.float32)
    order = random.permutation(301)
    queries = np.sort(np.append(order[:40], 300))
    gallery = np.sort(order) if overlap else np.setdiff1d(order, queries)
    found = mean_average_precision(descriptors, labels, queries, gallery)
    assert found == pytest.approx(twin(descriptors, labels, queries, gallery), abs=1e-9) and 0.1 < found < 0.9


def test_nothing_to_find_is_no_number():
    assert np.isnan(mean_average_precision(np.eye(3, dtype=np.float32), np.arange(3), np.array([0]), np.array([1, 2])))


def test_held_out_images_are_scored_after_every_epoch_and_the_best_kept(dataset, tmp_path, monkeypatch, capsys):
    scores = iter([0.5, 0.75, 0.25])
    monkeypatch.setattr(loop, "choose_parts", lambda name, folder, learner, own, *others: own.model_copy(update={"accumulate": 3}))
    monkeypatch.setattr(loop.Validation, "measure", lambda self, learner, epoch, accelerator, parts: next(scores) if parts == 3 else 0)
    offered = []
    monkeypatch.setattr(loop.BestWeights, "offer", _remembering(loop.BestWeights.offer, offered))
    (folder,) = train(configure(dataset, tmp_path, epochs=3, validation_images=12, keep="best"))
    lines = [line for line in journal(tmp_path) if "validation_map" in line]
    assert [(line["step"], line["validation_map"]) for line in lines] == [(3, 0.5), (6, 0.75), (9, 0.25)]
    assert "mAP@100 of the held-out images 75.00%, the best so far" in capsys.readouterr().out
    assert all(torch.equal(tensor, offered[1][f"model.{name}"]) for name, tensor in weights(tmp_path).items())
    assert not torch.equal(offered[1]["model.head.0.weight"], offered[2]["model.head.0.weight"])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["kept_step"], manifest["validation_map"], manifest["images"]) == (6, 0.75, 36)
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "metrics.jsonl", "model.json", "model.safetensors", "recipe.json"}


def _remembering(offer, offered):
    def remember(self, step, score, learner):
        offered.append({name: tensor.clone() for name, tensor in learner.state_dict().items()})
        return offer(self, step, score, learner)

    return remember


@pytest.mark.parametrize(
    "settings",
    [{"validation_steps": 2}, {"ema": 0.8, "keep": "best", "validation": "landmarks", "validation_gallery": 30, "drop_rate": 0.2}],
    ids=["images", "landmarks-average-best"],
)
def test_validation_changes_nothing_and_a_cut_off_run_ends_the_same(dataset, tmp_path, monkeypatch, settings):
    settings = {"validation_images": 12, "epochs": 3, **settings}
    train(configure(dataset, tmp_path / "whole", **settings))
    config = configure(dataset, tmp_path / "cut", checkpoint_minutes=0, **settings)
    cut_off_at(4, monkeypatch, config)
    train(config)
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    assert journal(tmp_path / "whole") == journal(tmp_path / "cut")
    measured = [line for line in journal(tmp_path / "whole") if "validation_map" in line]
    assert len(measured) == len({line["step"] for line in measured}) >= 2 and all(0 < line["validation_map"] <= 1 for line in measured)
    with monkeypatch.context() as patch:
        patch.setattr(loop.Validation, "measure", lambda *_: 0.5)
        train(configure(dataset, tmp_path / "unmeasured", **{**settings, "keep": "last"}))
    steps = [[line for line in journal(tmp_path / name) if "loss" in line] for name in ("whole", "unmeasured")]
    assert steps[0] == steps[1]


def test_the_shares_of_processes_are_put_together_in_order(dataset, tmp_path):
    settings = TrainSettings(image_size=32, batch_size=8, workers=0, epochs=1)
    images, _ = training_images(dataset / "train.csv", tmp_path, {}, 0)
    held = hold_out(images.labels, 7, 16, landmarks=False, seed=0)  # 23 images for two processes
    validation = Validation("tiny", dataset, images, held, settings, 10**9)
    model = ModelSettings(backbone="test_efficientnet", pretrained=False, dimensions=8)
    learner = create_learner("tiny", model, settings, images.classes)

    def describe(rank, world, gather):
        accelerator = SimpleNamespace(
            num_processes=world, process_index=rank, device=torch.device("cpu"), autocast=nullcontext, gather=gather
        )
        return validation._describe(learner, 0, accelerator, settings.parts)

    alone, labels = describe(0, 1, lambda tensor: tensor)
    shares = {0: [], 1: []}
    for rank, own in shares.items():
        describe(rank, 2, lambda tensor, own=own: own.append(tensor) or torch.cat([tensor, tensor]))
    columns = iter(zip(shares[0], shares[1]))
    together, their_labels = describe(0, 2, lambda tensor: torch.cat(next(columns)))
    assert np.array_equal(labels, their_labels) and len(set(labels)) > 2
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert learner.training


def test_a_memory_that_is_not_enough_any_more_takes_smaller_parts(dataset, tmp_path, monkeypatch):
    """In the second batch, in a later epoch again; and where no part fits, it is said."""
    settings = TrainSettings(image_size=32, batch_size=8, workers=0, epochs=1)
    images, _ = training_images(dataset / "train.csv", tmp_path, {}, 0)
    validation = Validation("tiny", dataset, images, hold_out(images.labels, 7, 16, landmarks=False, seed=0), settings, 10**9)
    learner = create_learner("tiny", ModelSettings(backbone="test_efficientnet", pretrained=False, dimensions=8), settings, images.classes)
    whole = validation.measure(learner, 0, Accelerator(cpu=True), 1)
    model, sizes, most = type(learner.model), [], [8]

    def forward(self, batch):
        sizes.append(len(batch))
        if len(batch) > (most[0] if len(sizes) > 1 else 8):
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
        return known(self, batch)

    known = model.forward
    monkeypatch.setattr(model, "forward", forward)
    most[0] = 3
    assert validation.measure(learner, 0, Accelerator(cpu=True), 1) == pytest.approx(whole) and learner.training
    assert sizes[:6] == [8, 8, 4, 2, 2, 2] and max(sizes[2:]) == 4
    sizes.clear()
    validation.measure(learner, 0, Accelerator(cpu=True), 1)
    assert max(sizes) == 2, "it is remembered"
    most[0] = 0
    with pytest.raises(RuntimeError, match="ALLOC_FAILED"):
        validation.measure(learner, 0, Accelerator(cpu=True), 1)


def test_the_best_takes_a_validation(tmp_path):
    with pytest.raises(UserError, match="keep=best takes validation_images"):
        load_config(None, ["train.keep=best"])
