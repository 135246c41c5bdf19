import cv2
import numpy as np
import pytest
import torch

from landmarks.config import TrainSettings
from landmarks.data import train_set as module
from landmarks.data.sampler import TrainingOrder
from landmarks.data.train_set import TrainSet, as_tensors, collate, collate_arrays, create_loader
from landmarks.datasets.images import image_path
from landmarks.errors import UserError

IDS = np.array([f"a{n}bc" for n in range(6)], object)
SETTINGS = TrainSettings(image_size=(32, 48), epochs=2, batch_size=3, augmentation="none")


@pytest.fixture
def train_set(tmp_path):
    """Six photos of one grey value each, 10, 20, ..., of landmarks 0, 1, 2, 0, 1, 2."""
    for number, id in enumerate(IDS):
        path = image_path(tmp_path, "train", id)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((60, 80, 3), 10 * number + 10, np.uint8))
    return TrainSet(tmp_path, IDS, np.arange(6) % 3, SETTINGS)


def test_an_item_is_an_image_of_the_epochs_size_and_its_label(train_set):
    assert len(train_set) == 6
    for epoch, size in ((0, 32), (1, 48)):
        image, label = train_set[epoch, 4]
        assert image.shape == (3, size, size) and image.dtype == torch.uint8 and label == 1
        assert (image.float() - 50).abs().max() <= 2


def test_an_unreadable_image_is_returned_as_its_error_and_replaces_the_batch(train_set):
    image_path(train_set.folder, "train", IDS[2]).unlink()
    error = train_set[0, 2]
    assert isinstance(error, UserError) and IDS[2] in str(error)
    assert collate([train_set[0, 1], error, train_set[0, 3]]) is error
    assert collate_arrays([train_set[0, 1], error, train_set[0, 3]]) is error


def test_a_batch_is_channels_last(train_set):
    images, labels = collate([train_set[0, row] for row in (3, 5)])
    assert images.shape == (2, 3, 32, 32) and images.is_contiguous(memory_format=torch.channels_last)
    assert labels.tolist() == [0, 2] and labels.dtype == torch.int64


@pytest.mark.parametrize(("workers", "shared_memory"), [(0, True), (1, True), (1, False)])
def test_the_loader_follows_the_order(train_set, workers, shared_memory, monkeypatch):
    monkeypatch.setattr(module, "has_shared_memory", lambda: shared_memory)
    order = TrainingOrder(6, SETTINGS)
    handed_over = list(create_loader(train_set, order, workers, pinned=False))
    assert {type(images) for images, _ in handed_over} == {torch.Tensor if shared_memory else np.ndarray}
    batches = [as_tensors(batch) for batch in handed_over]
    expected = list(order)
    assert len(batches) == len(expected) == 4
    for (images, labels), keys in zip(batches, expected, strict=True):
        assert images.shape[-1] == (32 if keys[0][0] == 0 else 48) and images.is_contiguous(memory_format=torch.channels_last)
        assert labels.tolist() == [row % 3 for _, row in keys]
        assert [round(value) for value in images.float().mean(dim=(1, 2, 3)).tolist()] == [10 * row + 10 for _, row in keys]
