"""A dataset that a tiny model learns in seconds, and what its training leaves."""

import json

import cv2
import numpy as np
import pytest
from safetensors.torch import load_file

from landmarks.config import Config
from landmarks.datasets.images import image_path
from landmarks.stages.train import train
from landmarks.training import loop

LANDMARKS, PHOTOS = 6, 8


def make_photos(folder):
    """Six patterns of coloured squares, eight noisy photos of each."""
    rng, rows = np.random.default_rng(0), ["id,landmark_id"]
    for landmark in range(LANDMARKS):
        pattern = cv2.resize(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8), (48, 40), interpolation=cv2.INTER_NEAREST)
        for photo in range(PHOTOS):
            id = f"{photo}{landmark}{rng.integers(16**8):08x}"
            path = image_path(folder, "train", id)
            path.parent.mkdir(parents=True)
            cv2.imwrite(str(path), np.clip(pattern + rng.normal(0, 20, pattern.shape), 0, 255).astype(np.uint8))
            rows.append(f"{id},{1000 - 7 * landmark}")
    (folder / "train.csv").write_text("\n".join(rows) + "\n")
    return folder


def configure(dataset, run_folder, models=("tiny",), model=None, **settings):
    settings = {
        "epochs": 2,
        "image_size": 32,
        "batch_size": 12,
        "learning_rate": 0.02,
        "workers": 0,
        "log_steps": 1,
        "margin": 0.1,
        "augmentation": "soft",
        **settings,
    }
    model = model or {"backbone": "test_efficientnet", "pretrained": False, "dimensions": 16}
    return Config.model_validate(
        {
            "dataset": {"folder": str(dataset)},
            "models": dict.fromkeys(models, model),
            "train": settings,
            "run": {"folder": str(run_folder), "device": "cpu"},
        }
    )


def journal(run_folder, name="tiny"):
    """The lines of metrics.jsonl without the speed, which no two runs share."""
    lines = [json.loads(text) for text in (run_folder / "models" / name / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("images_per_second", "waiting_for_images")} for line in lines]


def weights(run_folder, name="tiny"):
    return load_file(run_folder / "models" / name / "model.safetensors")


def cut_off_at(step, monkeypatch, config):
    """Train, and end as a kill does after the checkpoint of `step`; returns the steps after which there was one."""
    write, written = loop.write_resume, []

    def write_then_die(folder, number, *arguments, **more):
        write(folder, number, *arguments, **more)
        written.append(number)
        if number == step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "write_resume", write_then_die)
        train(config)
    return written
