import numpy as np
import pytest
import torch
from PIL import Image

from landmarks.data import extract_loader as module
from landmarks.data import hand_over
from landmarks.data.extract_loader import copied_ahead, load_ahead, planned_batches
from landmarks.data.extract_set import ExtractSet
from landmarks.datasets.images import image_path

WIDE, HIGH = (32, 64), (64, 32)


def plan(shapes, shards, images=4):
    return list(planned_batches(shapes, shards, lambda shape: images))


def test_every_position_comes_once_and_a_batch_has_one_shape():
    rng = np.random.default_rng(0)
    shapes = [[WIDE, HIGH, (64, 64), None][kind] for kind in rng.integers(0, 4, 200)]
    batches = plan(shapes, [50, 0, 70, 80])
    assert sorted(position for batch in batches for position in batch) == list(range(200))
    for batch in batches:
        kinds = {shapes[position] for position in batch}
        assert len(kinds) == 1 and len(batch) <= 4 and batch == sorted(batch) and (len(batch) == 1 or None not in kinds)


def test_batches_are_filled_across_shards_but_nothing_waits_for_longer_than_one():
    shapes = [WIDE] * 30
    shapes[1] = HIGH
    batches = plan(shapes, [10, 10, 10])
    assert [1] in batches and max(batches[: batches.index([1])])[0] < 20
    assert [len(batch) for batch in batches if batch != [1]] == [4] * 7 + [1], "not 3 for each of three shards"


def test_as_few_batches_as_pictures_need():
    """2048 pictures of 15 shapes a shard, 32 a batch, as photographers' cameras give them: 64 batches a shard and a few more."""
    rng = np.random.default_rng(0)
    shares = np.array([0.45, 0.2, 0.15, 0.1, 0.05] + [0.005] * 10)
    shapes = [(32, 32 * (1 + kind)) for kind in rng.choice(15, 5 * 2048, p=shares / shares.sum())]
    batches = plan(shapes, [2048] * 5, 32)
    assert 320 <= len(batches) <= 320 + 5 * 10


def test_the_size_of_a_batch_is_asked_for_each():
    sizes = iter([3, 3, 3, 2, 2, 2, 2])
    assert list(planned_batches([WIDE] * 7, [7], lambda shape: next(sizes))) == [[0, 1, 2], [3, 4], [5, 6]]


@pytest.fixture
def pictures(tmp_path):
    ids = np.array([f"ab{number}" for number in range(9)], object)
    for number, id in enumerate(ids[:-1]):
        path = image_path(tmp_path, "index", id)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((60, 90) if number % 3 else (90, 60), 20 * number, np.uint8)).convert("RGB").save(path, format="PNG")
    return ExtractSet(tmp_path, "index", ids, 64)


@pytest.mark.parametrize(("workers", "shared_memory"), [(0, True), (2, True), (2, False)])
def test_all_pictures_are_loaded_the_same_by_any_processes(pictures, workers, shared_memory, monkeypatch, capsys):
    monkeypatch.setattr(hand_over, "free_shared_memory", lambda: (8 if shared_memory else 0) << 30)
    hand_over._said.clear()
    loaded = list(copied_ahead(load_ahead(pictures, [4, 5], lambda shape: 3, workers), torch.device("cpu")))
    assert [position for one in loaded for position, _ in one.errors] == [8]
    batches = [batch for one in loaded for batch in one.batches]
    assert sorted(np.concatenate([batch.positions for batch in batches])) == list(range(8))
    for batch in batches:
        assert batch.pixels.dtype == torch.uint8 and len(batch.positions) <= 3
        for row, position in enumerate(batch.positions):
            assert np.array_equal(batch.pixels[row].numpy(), pictures.read(position).pixels)
    assert ("hand over pictures through pipes" in capsys.readouterr().out) == (not shared_memory)


def test_what_the_processes_hold_ahead_is_counted(pictures, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "is_shared_memory_enough", lambda needed: asked.append(needed) or True)
    list(load_ahead(pictures, [9], lambda shape: 3, 2))
    assert asked == [2 * 2 * 3 * 3 * 64 * 64]
