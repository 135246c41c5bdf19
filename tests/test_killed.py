"""Killed at any moment and run again, a run ends with what an undisturbed one gives."""

import os
import random
import signal
import subprocess
import sys
import time

from landmarks.search.rankings import read_ranking

SETTINGS = [
    "dataset.source=sample",
    "sample={landmarks: 8, longest_side: 64}",
    "models={tiny: {backbone: test_efficientnet, pretrained: false, dimensions: 16}}",
    "train={epochs: 2, image_size: 64, batch_size: 8, workers: 1, checkpoint_minutes: 0, log_steps: 1}",
    "extract={longest_side: 64, scales: [1.0], workers: 1, shard_images: 16}",
    "rerank=[{step: sort}, {step: insert}]",
    "run.device=cpu",
]
KILLS = 5


def start(folder):
    (folder / "empty.yaml").write_text("{}\n")
    command = [sys.executable, "-m", "landmarks", "run", "--config", str(folder / "empty.yaml"), *SETTINGS]
    command += [f"dataset.folder={folder / 'world'}", f"run.folder={folder / 'out'}"]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def results(folder):
    ranking = read_ranking(folder / "out/rankings/sort+insert")
    files = ["out/submission.csv", "out/per_query.csv", "out/models/tiny/model.safetensors", "world/train.csv"]
    return [(folder / name).read_bytes() for name in files], ranking.indices.tolist()


def test_killed_runs_end_as_an_undisturbed_one(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    began = time.monotonic()
    process = start(whole)
    assert process.wait() == 0, process.stderr.read()
    seconds = time.monotonic() - began
    chance = random.Random(0)
    for _ in range(KILLS):
        process = start(killed)
        time.sleep(chance.uniform(0.15, 0.9) * seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    process = start(killed)
    assert process.wait() == 0, process.stderr.read()
    assert results(killed) == results(whole)
