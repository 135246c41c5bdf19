from types import SimpleNamespace

import numpy as np
import pytest
import torch

from landmarks import machine
from landmarks.config import load_config
from landmarks.data import ahead, extract_loader, train_set
from landmarks.data.extract_loader import load_ahead
from landmarks.data.train_set import TrainSet, load_batches
from landmarks.doctor.loading import shared_memory_need
from landmarks.extraction.batch_size import BatchSize
from landmarks.extraction.jobs import decoded_side

CONFIG = ["models.a={}", "train.batch_size=64", "train.image_size=[512, 768]", "train.epochs=2", "train.aspect_batches=true"]


@pytest.fixture(autouse=True)
def of_sixteen_cores(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 16)
    monkeypatch.setattr(ahead, "_LITTLE", 0)


def as_a_loader_asks(config, cards, monkeypatch):
    """Bytes that the loaders of this configuration look for, those of training and of extraction, each in one of `cards` processes."""
    asked = []
    for module in (train_set, extract_loader):
        monkeypatch.setattr(module, "is_shared_memory_enough", lambda waiting: asked.append(ahead.shared_memory_needed(waiting)) or True)
        monkeypatch.setattr(module, "started", lambda loader, workers: iter(()))
    if cards:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(cards))
    device = torch.device("cuda" if cards else "cpu")
    for name in config.models:
        pictures = TrainSet("nowhere", np.arange(4).astype(str), np.arange(4), config.train_of(name))
        list(load_batches(pictures, [], config.train.batch_size // max(1, cards), None, device))
    side = decoded_side(config.extract, descriptors=True, local=False)
    pictures = SimpleNamespace(longest_side=side)
    list(load_ahead(pictures, [4], BatchSize(config.extract.batch_size).images, machine.loader_workers(None, on_gpu=cards > 0)))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    return asked


@pytest.mark.parametrize("cards", [0, 1, 8])
@pytest.mark.parametrize("more", [[], ["extract.longest_side=64"], ["extract.batch_size=3"]])
def test_the_need_is_that_of_the_loaders(cards, more, monkeypatch):
    config = load_config(None, [*CONFIG, *more])
    asked = as_a_loader_asks(config, cards, monkeypatch)
    assert len(asked) == 2 and shared_memory_need(config, cards) == max(asked) > 0


def test_only_what_is_loaded_needs_it():
    assert shared_memory_need(load_config(None, []), 1) == 0
    small = "extract.longest_side=32"
    trained, adopted = (load_config(None, [*CONFIG, small, *more]) for more in ([], ["models.a.checkpoint=elsewhere"]))
    assert shared_memory_need(trained, 1) > 100 * shared_memory_need(adopted, 1)
    assert shared_memory_need(trained, 4) == shared_memory_need(trained, 1) / 4, "four processes share batch and cores"
    two = load_config(None, [*CONFIG, small, "run.machines=2", "run.address=node0:1"])
    assert shared_memory_need(two, 4) == shared_memory_need(trained, 4) / 2
