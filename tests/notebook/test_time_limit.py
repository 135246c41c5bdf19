"""Models described shard by shard on several cards; what is dropped when time is short is tested through the notebook."""

from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from landmarks.config import load_config
from landmarks.datasets.images import image_path
from landmarks.extraction import processor
from landmarks.extraction.processor import choose_processor
from landmarks.models.checkpoint import build_model, save_model
from landmarks.models.global_model import GlobalModel
from landmarks.notebook import time_limit
from landmarks.notebook.budget import Budget
from landmarks.store.artefact import Artefact
from landmarks.store.tables import read_tables


def test_each_card_gets_its_copy_of_a_model_once_for_all_shards(tmp_path, monkeypatch):
    """Both cards are the CPU; three shards of queries and two of index images."""
    ids = {"test": ["q0", "q1", "q2", "q3", "q4"], "index": ["d0", "d1", "d2", "d3"]}
    for split, some in ids.items():
        (tmp_path / f"{split}.csv").write_text("\n".join(["id", *some]))
        for number, name in enumerate(some):
            image_path(tmp_path, split, name).parent.mkdir(parents=True)
            pixels = np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(image_path(tmp_path, split, name))
    (tmp_path / "train.csv").write_text("id,landmark_id\nt0,0\n")
    model = "models.tiny={backbone: test_resnet, pretrained: false, dimensions: 16}"
    extract = "extract={longest_side: 64, scales: [1.0], shard_images: 2, workers: 0}"
    config = load_config(None, [f"run.folder={tmp_path / 'run'}", f"dataset.folder={tmp_path}", model, extract])
    trained = Artefact(tmp_path / "run" / "models" / "tiny", "train", {}, {})
    trained.begin()
    save_model(trained.folder, build_model(config.models["tiny"]), config.models["tiny"])
    trained.finish()
    cards = replace(choose_processor("cpu", "float32"), others=(torch.device("cpu"),))
    monkeypatch.setattr(time_limit, "choose_processor", lambda *words, all_cards: cards)
    read, made, load, make = [], [], processor.load_model, time_limit.make_shards
    monkeypatch.setattr(processor, "load_model", lambda folder: read.append(folder.name) or load(folder))
    monkeypatch.setattr(
        time_limit, "make_shards", lambda job, shards, networks, *more: made.append(networks) or make(job, shards, networks, *more)
    )

    def refused(network, memo):
        raise AssertionError("a copy of a network on its own card")

    monkeypatch.setattr(GlobalModel, "__deepcopy__", refused, raising=False)
    time_limit.describe_within(config, read_tables(tmp_path), lambda: 3600.0, Budget(config.extract.scales))
    assert read == ["tiny", "tiny"] and len(made) == 3 + 2
    assert len({id(network) for networks in made for network in networks}) == 2
    for networks in made:
        first, second = (list(network.parameters()) for network in networks)
        assert all(torch.equal(one, other) and one.data_ptr() != other.data_ptr() for one, other in zip(first, second, strict=True))
    rows = [np.load(path) for path in sorted((tmp_path / "run" / "descriptors" / "tiny" / "test").glob("*.npy"))]
    assert [len(part) for part in rows] == [2, 2, 1] and all(np.isfinite(part).all() for part in rows)
