"""A run of random descriptors whose first search is made."""

import numpy as np
import pytest

from landmarks.config import load_config
from landmarks.stages.search import search

IMAGES = {"train": 20, "index": 30, "test": 6}


@pytest.fixture
def searched(tmp_path):
    """searched(*overrides): the configuration of a run of 8 dimensions whose search is made once; five landmarks, 100 to 104."""
    rng, data = np.random.default_rng(0), tmp_path / "data"
    data.mkdir()
    for split, count in IMAGES.items():
        np.save(data / f"{split}.npy", rng.standard_normal((count, 8)).astype(np.float32))
        rows = [f"{split}{n:02d}" + (f",{100 + n % 5}" if split == "train" else "") for n in range(count)]
        (data / f"{split}.csv").write_text("\n".join(["id,landmark_id" if split == "train" else "id", *rows]) + "\n")

    def settings(*overrides):
        fixed = [f"dataset.folder={data}", f"run.folder={tmp_path / 'run'}", "run.device=cpu", "search.neighbours=10"]
        return load_config(None, [*fixed, *overrides])

    search(settings("rerank=sort"))
    return settings
