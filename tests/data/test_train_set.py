import cv2
import numpy as np
import pytest
import torch

from landmarks.config import TrainSettings
from landmarks.data import train_set as train_set_module
from landmarks.data.aspects import shapes_of
from landmarks.data.sampler import Key
from landmarks.data.train_set import TrainSet, load_batches
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.ops.sides import Sides

IDS = np.array([f"a{n}bc" for n in range(6)], object)
SETTINGS = TrainSettings(image_size=(32, 48), epochs=2, batch_size=3, augmentation="none")
SKIP = SETTINGS.model_copy(update={"on_error": "skip"})


@pytest.fixture
def create(tmp_path):
    """Six photos of one grey value each, 10, 20, ..., of landmarks 0, 1, 2, 0, 1, 2."""
    for number, id in enumerate(IDS):
        path = image_path(tmp_path, "train", id)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((60, 80, 3), 10 * number + 10, np.uint8))

    def train_set(settings=SETTINGS, **arrays):
        return TrainSet(tmp_path, IDS, np.arange(6) % 3, settings, **arrays)

    return train_set


def grey(image):
    return round(float(image.float().mean()))


def test_an_item_is_an_image_of_the_epochs_size_and_the_batch_s_shape(create):
    train_set = create()
    assert len(train_set) == 6
    for epoch, size in ((0, 32), (1, 48)):
        item = train_set[Key(epoch, 4)]
        assert item.image.shape == (3, size, size) and item.image.dtype == torch.uint8 and item.row == 4 and item.skipped == {}
        assert (item.image.float() - 50).abs().max() <= 2
    assert [tuple(train_set[Key(1, 4, 0, shape)].image.shape[1:]) for shape in range(5)] == list(shapes_of(48))
    sizes = [tuple(create(sides=Sides(32, 32))[Key(1, 4, 0, shape)].image.shape[1:]) for shape in range(5)]
    assert sizes == [(32, 64), (32, 64), (64, 64), (64, 32), (64, 32)]  # of 40 x 56, 40 x 56 and 48 x 48


def test_images_have_sides_that_the_model_takes(create):
    train_set = create(sides=Sides(14, 28))
    assert [train_set[Key(epoch, 4)].image.shape[1:] for epoch in (0, 1)] == [(28, 28), (42, 42)]


def test_an_unreadable_image_is_returned_as_its_error_and_replaces_the_batch(create):
    train_set = create()
    image_path(train_set.folder, "train", IDS[2]).unlink()
    error = train_set[Key(0, 2)]
    assert isinstance(error, UserError) and IDS[2] in str(error) and "train.on_error=skip" in error.next
    for collate in (train_set.collate, lambda items: train_set.hand_over(items, True)):
        assert collate([train_set[Key(0, 1)], error, train_set[Key(0, 3)]]) is error


def test_another_image_of_its_landmark_stands_in_for_a_skipped_one(create):
    train_set = create(SKIP)
    image_path(train_set.folder, "train", IDS[2]).write_bytes(b"no picture")
    batch = train_set.collate([train_set[Key(0, row)] for row in (1, 2, 3)])
    assert batch.labels.tolist() == [1, 2, 0] and [grey(image) for image in batch.images] == [20, 60, 40]
    assert list(batch.skipped) == [2] and "damaged" in batch.skipped[2]


def test_of_a_landmark_that_cannot_be_read_any_image_stands_in_the_same_each_time(create):
    train_set = create(SKIP)
    for row in (2, 5):
        image_path(train_set.folder, "train", IDS[row]).unlink()
    items = [train_set[Key(0, 2, repeat)] for repeat in range(12)]
    assert {item.row for item in items} <= {0, 1, 3, 4} and len({item.row for item in items}) > 1
    assert all(set(item.skipped) == {2, 5} for item in items)
    assert [item.row for item in items] == [train_set[Key(0, 2, repeat)].row for repeat in range(12)]
    assert train_set.collate(items).labels.tolist() == [item.row % 3 for item in items]


def test_a_set_that_cannot_be_read_at_all_is_an_error_not_a_search_without_end(create):
    train_set = create(SKIP)
    for id in IDS:
        image_path(train_set.folder, "train", id).unlink()
    assert "images one after the other cannot be read" in str(train_set[Key(0, 2)])


def test_an_image_that_was_removed_from_the_table_is_skipped_whatever_on_error_says(create):
    train_set = create(removed=np.arange(6) == 2)
    image_path(train_set.folder, "train", IDS[2]).unlink()
    item = train_set[Key(0, 2)]
    assert item.row == 5 and "removed from the table" in item.skipped[2]


def test_a_batch_is_channels_last_with_the_weights_of_its_images(create):
    weights = np.arange(6, dtype=np.float32)
    for train_set, expected in ((create(), None), (create(weights=weights), [3, 5])):
        batch = train_set.collate([train_set[Key(0, row)] for row in (3, 5)])
        assert batch.images.shape == (2, 3, 32, 32) and batch.images.is_contiguous(memory_format=torch.channels_last)
        assert batch.labels.tolist() == [0, 2] and batch.labels.dtype == torch.int64 and batch.skipped == {}
        assert batch.weights is None if expected is None else batch.weights.tolist() == expected


@pytest.mark.parametrize("workers, shared", [(0, True), (1, True), (1, False)])
def test_the_loader_follows_the_order(create, workers, shared, monkeypatch):
    monkeypatch.setattr(train_set_module, "is_shared_memory_enough", lambda waiting: shared)
    train_set = create(SKIP, weights=np.arange(6, dtype=np.float32))
    image_path(train_set.folder, "train", IDS[2]).unlink()
    order = train_set.order()
    handed_over, as_batch = [], train_set_module._as_batch
    monkeypatch.setattr(train_set_module, "_as_batch", lambda batch: handed_over.append(type(batch[0])) or as_batch(batch))
    batches = list(load_batches(train_set, order, order.part, workers, torch.device("cpu")))
    assert set(handed_over) == {torch.Tensor if shared else np.ndarray}
    expected = list(order)
    assert len(batches) == len(expected) == 4
    for batch, keys in zip(batches, expected, strict=True):
        rows = [5 if key.row == 2 else key.row for key in keys]
        assert batch.images.shape[-1] == (32 if keys[0].epoch == 0 else 48)
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
        assert batch.labels.tolist() == [row % 3 for row in rows] and batch.weights.tolist() == rows
        assert [grey(image) for image in batch.images] == [10 * row + 10 for row in rows]
        assert list(batch.skipped) == [2] * any(key.row == 2 for key in keys)
