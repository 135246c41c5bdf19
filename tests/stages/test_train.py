import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_training import configure, cut_off_at, journal, make_photos, weights

from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.models.checkpoint import load_model
from landmarks.stages.train import train
from landmarks.training import hardware, learner, loop

SCRIPT = """
import json, shutil, sys
from landmarks.config import Config
from landmarks.stages.train import train
from landmarks.training import loop

def write_and_copy(folder, step, *others, write=loop.write_resume):
    write(folder, step, *others)
    if step == 6:
        shutil.copytree(folder, "MIXED")

loop.write_resume = write_and_copy
if __name__ == "__main__":
    train(Config.model_validate(json.loads(sys.argv[1])))
"""


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setattr(hardware, "cores", lambda: 1)  # a busy machine makes threads of one step wait for each other


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("toy"))


def test_learns_to_tell_landmarks_apart(dataset, tmp_path, capsys):
    config = configure(dataset, tmp_path, epochs=8, warmup=0.1)
    (folder,) = train(config)
    # 6 landmarks x 16 dimensions: 384 B of weights, gradients and momentum each, and four times that to divide by the length
    parts = "weights 384 B, gradients 384 B, optimizer 384 B, and 1.54 kB"
    assert f"6 landmarks x 16 dimensions takes 2.69 kB: {parts} while 12 images are computed" in capsys.readouterr().out
    lines = journal(tmp_path)
    assert len(lines) == 32 and lines[-1]["epoch"] == 8
    assert np.mean([line["loss"] for line in lines[-4:]]) < 0.5 * np.mean([line["loss"] for line in lines[:4]])
    assert np.mean([line["accuracy"] for line in lines[-4:]]) > 0.8
    assert load_model(folder)(torch.zeros(1, 3, 32, 32, dtype=torch.uint8)).shape == (1, 16)
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "metrics.jsonl", "model.json", "model.safetensors", "recipe.json"}
    train(config)
    assert "train tiny: up to date" in capsys.readouterr().out


def test_a_model_s_own_recipe_and_growing_sizes(dataset, tmp_path, monkeypatch):
    shapes, forward = [], learner.Learner.forward
    monkeypatch.setattr(
        learner.Learner, "forward", lambda self, images, *others: shapes.append(images.shape[-1]) or forward(self, images, *others)
    )
    own = {"loss": "cosface", "epochs": 3, "image_size": [32, 32, 64]}
    config = configure(dataset, tmp_path, epochs=1)
    config = config.model_copy(update={"models": config.models | {"own": config.models["tiny"].model_copy(update={"recipe": own})}})
    train(config)
    assert shapes == [32] * 4 + [32] * 8 + [64] * 4
    tiny, of_its_own = (json.loads((tmp_path / "models" / name / "manifest.json").read_text())["settings"] for name in ("tiny", "own"))
    assert (tiny["train"]["loss"], of_its_own["train"]["loss"]) == ("arcface", "cosface") and of_its_own["train"]["epochs"] == 3
    assert "recipe" not in tiny["model"]


DELG = {"backbone": "test_resnet", "pretrained": False, "dimensions": 16, "local": {"dimensions": 8, "attention_channels": 16}}


def test_a_few_images_are_learned_by_every_part(dataset, tmp_path, capsys):
    (folder,) = train(
        configure(dataset, tmp_path, model=DELG, epochs=60, overfit=8, augmentation="none", learning_rate=1e-2, optimizer="adamw")
    )
    assert "8 images of 6 landmarks" in capsys.readouterr().out
    lines = journal(tmp_path)
    assert len(lines) == 60
    for loss, share in (("loss_global", 0.5), ("loss_attention", 0.5), ("loss_reconstruction", 0.5), ("loss", 0.5)):
        assert lines[-1][loss] < share * lines[0][loss], loss
    assert lines[-1]["accuracy"] == 1 and 0 < lines[-1]["sparsity_16"] < 1 and 0 < lines[-1]["sparsity_32"] < 1
    threshold = float(load_model(folder).local.threshold)
    medians = [line["attention_median"] for line in lines]
    assert min(medians[-20:]) <= threshold <= max(medians[-20:]) and threshold > 0


CONVNEXT = {"backbone": "test_convnext", "pretrained": False, "dimensions": 16}


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "sgd"},
        {"optimizer": "adamw", "accumulate": 2, "workers": 1},
        {"model": DELG, "learn_scale": True},
        {"image_size": [32, 64], "centres": 3, "rare_margin": 0.5, "label_smoothing": 0.1},
        {"ema": 0.9, "freeze_backbone_steps": 3, "drop_rate": 0.3},
        {"optimizer": "adamw", "layer_decay": 0.7, "freeze_backbone_steps": 7, "drop_path_rate": 0.3},
        {"model": CONVNEXT, "optimizer": "adamw", "gradient_checkpointing": True, "layer_decay": 0.8, "drop_path_rate": 0.2, "ema": 0.99},
        {"sampler": "square_root", "class_weight": 0.5, "clip_norm": None},
        {"sampler": "pairs", "aspect_batches": True, "augmentation": "yokoo_middle", "workers": 1},
    ],
    ids="sgd adamw-accumulated delg growing-centres average-frozen layers-frozen recomputed square-root pairs-aspects".split(),
)
def test_a_run_cut_off_inside_an_epoch_ends_with_the_same_weights(dataset, tmp_path, monkeypatch, settings):
    train(configure(dataset, tmp_path / "whole", **settings))

    config = configure(dataset, tmp_path / "cut", checkpoint_minutes=0, **settings)
    written = cut_off_at(6, monkeypatch, config)  # of 8, four to an epoch
    folder = tmp_path / "cut" / "models" / "tiny"
    assert written == [1, 2, 3, 4, 5, 6] and not (folder / "model.safetensors").exists()
    with open(folder / "metrics.jsonl", "a") as file:  # what a run leaves that dies between two checkpoints
        file.write('{"step": 7, "loss": 1}\n{"step": 8, "lo')
    train(config)
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert whole.keys() == cut.keys() and all(torch.equal(whole[name], cut[name]) for name in whole)
    assert journal(tmp_path / "whole") == journal(tmp_path / "cut")
    assert not (folder / "resume.safetensors").exists()


@pytest.mark.parametrize("processes", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_several_processes_train_as_one(dataset, tmp_path, capsys, processes):
    """Without BatchNorm, which sees half a batch on each CPU process, they differ by rounding alone.

    So does a run that several processes begin and one continues.
    """
    script, mixed = tmp_path / "script.py", tmp_path / "mixed"
    script.write_text(SCRIPT.replace("MIXED", str(mixed / "models" / "tiny")))
    model = {"backbone": "test_efficientnet_gn", "pretrained": False, "dimensions": 0}
    several, one, parts = (
        configure(
            dataset,
            tmp_path / name,
            model=model,
            epochs=4,
            accumulate=accumulate,
            freeze_backbone_steps=3,
            ema=0.5,
            learning_rate=0.01,
            validation_images=7,
            keep="best",
            checkpoint_minutes=0,
        )
        for name, accumulate in (("several", 1), ("one", 1), ("parts", 3))
    )
    # --multi_gpu means several processes, on a CPU too, where --cpu would start a single one
    command = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes",
        str(processes),
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--main_process_port",
        "0",
        str(script),
        several.model_dump_json(),
    ]
    source = Path(loop.__file__).parents[2]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(source)}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"{processes} processes") == 1
    train(one)
    train(parts)
    train(one.model_copy(update={"run": one.run.model_copy(update={"folder": mixed})}))
    said = capsys.readouterr().out
    assert (
        f"begun by {processes} processes and continued by 1: the same but for rounding" in said and "continues after step 6 of 12" in said
    )
    losses, scores = (
        {name: [line[number] for line in journal(tmp_path / name) if number in line] for name in ("several", "one", "parts", "mixed")}
        for number in ("loss", "validation_map")
    )
    assert len(scores["one"]) == 4
    assert scores["several"] == pytest.approx(scores["one"], abs=0.02) and scores["parts"] == pytest.approx(scores["one"], abs=0.02)
    assert len(losses["one"]) == 12 and losses["one"][-1] < losses["one"][0]
    assert losses["several"] == pytest.approx(losses["one"], rel=1e-3)
    assert losses["parts"] == pytest.approx(losses["one"], rel=1e-3)
    assert losses["mixed"] == pytest.approx(losses["one"], rel=1e-3)
    for name, tensor in weights(tmp_path / "one").items():
        torch.testing.assert_close(weights(tmp_path / "several")[name], tensor, rtol=1e-2, atol=1e-3)


def test_no_epochs_keep_the_starting_weights_and_need_no_images(tmp_path):
    folders = train(configure(tmp_path / "nothing", tmp_path, models=("a", "b"), epochs=0))
    assert [folder.name for folder in folders] == ["a", "b"]
    a, b = weights(tmp_path, "a"), weights(tmp_path, "b")
    assert not torch.equal(a["head.0.weight"], b["head.0.weight"])


def test_no_epochs_do_not_ignore_the_weights_to_start_from(tmp_path):
    with pytest.raises(UserError, match="(?s)train.start_from.*models.tiny.checkpoint=.*weights.safetensors"):
        train(configure(tmp_path / "nothing", tmp_path, epochs=0, start_from=str(tmp_path / "weights.safetensors")))


def test_a_model_can_be_left_as_it_starts_beside_one_that_learns(dataset, tmp_path):
    config = configure(dataset, tmp_path / "both", models=("tiny", "still"), epochs=1)
    still = config.models["still"].model_copy(update={"train": False})
    train(config.model_copy(update={"models": {**config.models, "still": still}}))
    train(configure(dataset, tmp_path / "start", models=("tiny", "still"), epochs=0))
    for name, same in (("still", True), ("tiny", False)):
        assert torch.equal(weights(tmp_path / "both", name)["head.0.weight"], weights(tmp_path / "start", name)["head.0.weight"]) == same


def test_a_delg_model_can_be_left_as_it_starts(tmp_path):
    (folder,) = train(configure(tmp_path / "nothing", tmp_path, model=DELG, epochs=0))
    assert load_model(folder).local.threshold == 0


def test_other_settings_do_not_replace_a_model_unasked(dataset, tmp_path):
    train(configure(dataset, tmp_path, epochs=1))
    train(configure(dataset, tmp_path, epochs=1, log_steps=7, workers=1))  # shape nothing: up to date
    with pytest.raises(UserError, match="learning_rate 0.02 -> 0.01"):
        train(configure(dataset, tmp_path, epochs=1, learning_rate=0.01))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_truncated_photo_is_named(dataset, tmp_path, workers):
    broken = tmp_path / "data"
    (broken / "train").mkdir(parents=True)
    rows = (dataset / "train.csv").read_text().splitlines()
    ids = [row.split(",")[0] for row in rows[1:]]
    for id in ids:
        target = image_path(broken, "train", id)
        target.parent.mkdir(parents=True)
        data = image_path(dataset, "train", id).read_bytes()
        target.write_bytes(data[: len(data) // 2] if id == ids[5] else data)
    (broken / "train.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(UserError, match=f"{ids[5]}.jpg") as raised:
        train(configure(broken, tmp_path / "run", workers=workers))
    assert "Traceback" not in str(raised.value)


def test_a_diverging_training_names_the_step(dataset, tmp_path):
    with pytest.raises(UserError, match=r"(?s)of step \d+ is (nan|inf).*learning_rate=1e\+?30.*lower"):
        train(configure(dataset, tmp_path, learning_rate=1e30, clip_norm=1e30))


def test_a_failure_before_the_first_step_leaves_no_folder(dataset, tmp_path):
    with pytest.raises(UserError, match="does not divide"):
        train(configure(dataset, tmp_path, accumulate=5))
    with pytest.raises(UserError, match="missing"):
        train(configure(tmp_path, tmp_path))
    assert not (tmp_path / "models").exists()


def test_float16_needs_a_gpu(dataset, tmp_path):
    with pytest.raises(UserError, match="float16 needs a GPU"):
        train(configure(dataset, tmp_path, precision="float16"))
