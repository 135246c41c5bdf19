"""With the same weights, results do not depend on threads and processes: descriptors bit for bit, lists in every place."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from landmarks.cli import main
from landmarks.config import ModelSettings
from landmarks.models.checkpoint import build_model
from landmarks.search.rankings import read_ranking

SETTINGS = [
    "dataset.source=sample",
    "sample={landmarks: 8, longest_side: 96}",
    "models={lite0: {backbone: efficientnet_lite0, dimensions: 256}}",
    "train={epochs: 0}",
    "extract={longest_side: 96, scales: [1.0], workers: 0, shard_images: 64}",
    "rerank=[{step: discriminate}, {step: add_labels}, {step: augment_database}, {step: expand_query}]",
    "run.device=cpu",
]


def words(stage, folder, run, *settings):
    line = [stage, "--config", str(folder / "empty.yaml"), *SETTINGS, f"dataset.folder={folder / 'world'}", f"run.folder={folder / run}"]
    return [*line, *settings]


def in_a_process(line, **environment):
    done = subprocess.run([sys.executable, "-m", "landmarks", *line], env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def descriptors(folder):
    return {str(path.relative_to(folder)): np.load(path).tobytes() for path in sorted(folder.glob("descriptors/**/*.npy"))}


@pytest.fixture(scope="module")
def two_threads(tmp_path_factory):
    folder = tmp_path_factory.mktemp("threads")
    (folder / "empty.yaml").write_text("{}\n")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert main(words("run", folder, "two")) == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    return folder


def test_one_thread_gives_the_lists_of_two(two_threads):
    one, two = two_threads / "one", two_threads / "two"
    in_a_process(words("run", two_threads, "one"), OMP_NUM_THREADS="1")
    assert len(descriptors(two)) > 3 and descriptors(one) == descriptors(two)
    names = sorted(path.name for path in (two / "rankings").iterdir())
    assert len(names) == 5
    for name in names:
        first, second = read_ranking(one / "rankings" / name), read_ranking(two / "rankings" / name)
        np.testing.assert_array_equal(first.indices, second.indices)
        np.testing.assert_allclose(first.scores, second.scores, rtol=0, atol=5e-6)
    assert (one / "submission.csv").read_bytes() == (two / "submission.csv").read_bytes()


def test_two_processes_give_the_descriptors_of_one(two_threads):
    shared = two_threads / "shared"
    shared.mkdir()
    (shared / "models").symlink_to(two_threads / "two" / "models")
    in_a_process(words("extract", two_threads, "shared", "run.processes=2"))
    assert descriptors(shared) == descriptors(two_threads / "two")


def test_local_features_of_one_thread_are_those_of_several():
    """The map in the middle of the network is taken by a hook, which also sees the pictures of the other threads."""
    torch.manual_seed(0)
    model = build_model(ModelSettings(backbone="test_efficientnet", pretrained=False, dimensions=16, local={"dimensions": 8})).eval()
    pictures = torch.rand(64, 1, 3, 64, 64)
    with torch.inference_mode():
        alone = [model._shallow_map.maps(picture) for picture in pictures]
        for _ in range(3):
            with ThreadPoolExecutor(8, initializer=torch.inference_mode(True).__enter__) as pool:
                together = list(pool.map(model._shallow_map.maps, pictures))
            for one, other in zip(alone, together, strict=True):
                assert torch.allclose(one[0], other[0], atol=1e-5) and torch.allclose(one[1].map, other[1].map, atol=1e-5)
