"""Small datasets in GLDv2 layout: of descriptors, with a solution that follows from how they were made; of photos, with a model."""

import numpy as np
import pandas as pd
import pytest
import torch

from landmarks.config import load_config
from landmarks.datasets.images import image_path
from landmarks.models.checkpoint import build_model, save_model
from landmarks.store.artefact import Artefact

LANDMARKS, DIMENSIONS = 6, 16
PREFIX = {"train": "r", "index": "i", "test": "t"}


@pytest.fixture
def arrays(tmp_path):
    """train, index and test of six landmarks: clusters around random directions."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((LANDMARKS, DIMENSIONS))
    folder = tmp_path / "arrays"
    folder.mkdir()
    labels = {}
    for split, images in (("train", 60), ("index", 90), ("test", 24)):
        labels[split] = np.arange(images) % LANDMARKS
        matrix = centres[labels[split]] + 0.9 * rng.standard_normal((images, DIMENSIONS))
        np.save(folder / f"{split}.npy", matrix.astype(np.float16))
        table = pd.DataFrame({"id": [f"{PREFIX[split]}{n:03d}" for n in range(images)]})
        if split == "train":
            table["landmark_id"] = labels[split] + 100
        table.to_csv(folder / f"{split}.csv", index=False)
    usage = np.array(["Public", "Private", "Private", "Ignored"])[np.arange(24) // 6]
    images = [
        "None" if usage[n] == "Ignored" else " ".join(f"i{i:03d}" for i in np.flatnonzero(labels["index"] == labels["test"][n]))
        for n in range(24)
    ]
    pd.DataFrame({"id": [f"t{n:03d}" for n in range(24)], "images": images, "Usage": usage}).to_csv(
        folder / "retrieval_solution.csv", index=False
    )
    return folder


@pytest.fixture
def save_untrained():
    """save(settings): put an untrained model "tiny" into the run folder, as `train` would."""

    def save(settings):
        config = load_config(None, settings)
        trained = Artefact(config.run.folder / "models" / "tiny", "train", {}, {})
        trained.begin()
        torch.manual_seed(0)
        save_model(trained.folder, build_model(config.models["tiny"]), config.models["tiny"])
        trained.finish()

    return save


@pytest.fixture
def delg_run(tmp_path, save_untrained):
    """make(photos, labels) -> settings: a dataset in tmp_path/data and an untrained DELG, "tiny", in tmp_path/run.

    photos  split -> {id: PIL image}
    labels  of the train ids
    """

    def make(photos, labels):
        data = tmp_path / "data"
        for split, images in photos.items():
            for id, image in images.items():
                path = image_path(data, split, id)
                path.parent.mkdir(parents=True, exist_ok=True)
                image.save(path, quality=95)
            rows = [f"{id},{labels[id]}" for id in images] if split == "train" else images
            (data / f"{split}.csv").write_text("\n".join(["id,landmark_id" if split == "train" else "id", *rows]) + "\n")
        settings = [
            f"dataset.folder={data}",
            f"run.folder={tmp_path / 'run'}",
            "models.tiny={backbone: test_resnet, dimensions: 16, pretrained: false, local: {dimensions: 32}}",
            "extract={longest_side: 128, scales: [1.0], workers: 0, local: {scales: [1.0], max_features: 100}}",
            "run.device=cpu",
        ]
        save_untrained(settings)
        return settings

    return make
