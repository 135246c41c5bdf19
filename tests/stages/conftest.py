"""A small dataset of descriptors in GLDv2 layout, with a solution that follows from how it was made."""

import numpy as np
import pandas as pd
import pytest

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
