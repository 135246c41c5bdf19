import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from landmarks.config import ModelSettings, TrainSettings
from landmarks.errors import UserError
from landmarks.store.files import write_json
from landmarks.training import memory
from landmarks.training.learner import create_learner
from landmarks.training.memory import FOUND, choose_parts, estimate, fits

MODEL = ModelSettings(backbone="test_efficientnet", pretrained=False, dimensions=8)
SETTINGS = TrainSettings(image_size=(32, 64), epochs=2, batch_size=24)


def learner_of(model=MODEL, settings=SETTINGS, classes=3):
    return create_learner("m", model, settings, classes)


@pytest.fixture
def small_gpu(monkeypatch):
    """small_gpu(images): the memory is enough for so many images at a time; returns the sizes of the trials."""
    sizes = []

    def give(images, free=float("inf")):
        def forward(self, batch, labels):
            sizes.append(len(batch))
            if len(batch) > images:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return known(self, batch, labels)

        monkeypatch.setattr(memory, "may_run_out", lambda device: True)
        monkeypatch.setattr(memory, "free_memory", lambda device: free)
        monkeypatch.setattr(memory, "estimate", lambda *arguments: (0.0, 1.0))
        known = memory.Learner.forward
        monkeypatch.setattr(memory.Learner, "forward", forward)
        return sizes

    return give


def test_the_fewest_parts_that_fit_are_found_kept_and_repeated(tmp_path, small_gpu, capsys):
    sizes = small_gpu(7)
    found = choose_parts("m", tmp_path, learner_of(), SETTINGS, 100, Accelerator(cpu=True))
    assert found.parts == 4 and sizes == [24, 12, 8, 6] and found == SETTINGS.model_copy(update={"accumulate": 4})
    assert "train m: a batch in 4 parts of 6 images" in capsys.readouterr().out
    sizes.clear()
    assert choose_parts("m", tmp_path, learner_of(), SETTINGS, 100, Accelerator(cpu=True)).parts == 4 and sizes == []
    write_json(tmp_path / FOUND, {"accumulate": 1, "processes": 4})
    again = choose_parts("m", tmp_path, learner_of(), SETTINGS, 100, Accelerator(cpu=True))
    assert again.parts == 4 and sizes == [24, 12, 8, 6], "of four GPUs, of which one is left"
    write_json(tmp_path / FOUND, {"accumulate": 6})
    assert choose_parts("m", tmp_path, learner_of(), SETTINGS, 100, Accelerator(cpu=True)).parts == 6, "by an earlier version"


def test_what_cannot_fit_by_the_estimate_is_not_tried(tmp_path, small_gpu):
    sizes = small_gpu(7, free=10)
    assert choose_parts("m", tmp_path, learner_of(), SETTINGS, 100, Accelerator(cpu=True)).parts == 4 and sizes == [12, 8, 6]


def test_a_memory_that_is_never_enough_is_the_user_s_to_help(tmp_path, small_gpu):
    small_gpu(1)
    with pytest.raises(UserError, match="(?s)not enough for 2 images at a time.*train.gradient_checkpointing=true"):
        choose_parts("m", tmp_path, learner_of(), SETTINGS, 100, Accelerator(cpu=True))
    assert not (tmp_path / FOUND).exists()


def test_a_number_that_is_set_and_a_cpu_are_left_alone(tmp_path, small_gpu):
    assert choose_parts("m", tmp_path, learner_of(), SETTINGS, 100, Accelerator(cpu=True)) is SETTINGS, "a CPU's process is killed"
    sizes = small_gpu(1)
    asked = SETTINGS.model_copy(update={"accumulate": 2})
    assert choose_parts("m", tmp_path, learner_of(), asked, 100, Accelerator(cpu=True)) is asked and sizes == []


def test_a_trial_leaves_no_trace():
    learner = learner_of()
    before = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
    assert fits(learner, SETTINGS, 4, Accelerator(cpu=True))
    assert all(torch.equal(tensor, before[name]) for name, tensor in learner.state_dict().items())
    assert all(parameter.grad is None for parameter in learner.parameters())


@pytest.mark.parametrize(
    "model",
    [MODEL, ModelSettings(backbone="test_resnet", pretrained=False, dimensions=8, local={"dimensions": 4, "attention_channels": 8})],
)
def test_the_estimate_is_what_a_step_keeps(model):
    """On the CPU, by torch's own account: what is there after the forward pass and was not before."""
    learner = learner_of(model)
    fixed, each = estimate(learner, SETTINGS, Accelerator(cpu=True))
    weights = 4 * sum(parameter.numel() for parameter in learner.parameters())
    assert 2 * weights <= fixed < 3 * weights
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    own = {tensor.untyped_storage().data_ptr() for tensor in [*learner.parameters(), *learner.buffers()]}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        learner(torch.zeros(6, 3, 64, 64, dtype=torch.uint8), torch.zeros(6, dtype=torch.int64))
    real = sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own)
    assert each == pytest.approx(real / 6, rel=0.1)
    assert learner.model.training and all(tensor.device.type == "cpu" and tensor.isfinite().all() for tensor in learner.parameters())


def test_a_network_that_is_built_for_each_size_is_left_to_the_trial():
    settings = SETTINGS.model_copy(update={"image_size": 256})
    learner = learner_of(ModelSettings(backbone="levit_128s", pretrained=False, dimensions=8), settings)
    fixed, each = estimate(learner, settings, Accelerator(cpu=True))
    assert fixed >= 8 * sum(parameter.numel() for parameter in learner.parameters()) and each == 0
    assert fits(learner, settings, 2, Accelerator(cpu=True))


SCRIPT = """
import os, sys
from pathlib import Path
import torch
from accelerate import Accelerator
from landmarks.config import ModelSettings, TrainSettings
from landmarks.training import memory
from landmarks.training.learner import Learner, create_learner

known = Learner.forward
def forward(self, images, labels):
    if os.environ["RANK"] == "1" and len(images) > 3:
        raise torch.OutOfMemoryError("CUDA out of memory")
    return known(self, images, labels)
Learner.forward = forward
memory.may_run_out = lambda device: True
memory.free_memory = lambda device: 1e12
memory.estimate = lambda *arguments: (0.0, 1.0)
settings = TrainSettings(image_size=32, epochs=1, batch_size=24)
learner = create_learner("m", ModelSettings(backbone="test_efficientnet", pretrained=False, dimensions=8), settings, 3)
parts = memory.choose_parts("m", Path(sys.argv[1]), learner, settings, 100, Accelerator(cpu=True)).parts
Path(sys.argv[1], "parts-" + os.environ["RANK"]).write_text(str(parts))  # lines of two processes may be printed into each other
"""


def test_all_processes_take_the_parts_that_the_smallest_gpu_needs(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"PYTHONPATH": str(Path(memory.__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(tmp_path / "script.py"), str(tmp_path)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / f"parts-{rank}").read_text() for rank in range(2)] == ["4", "4"]
    assert done.stdout.count("a batch in 4 parts of 3 images on each of 2 GPUs") == 1


def test_more_parts_are_named_where_the_memory_is_not_enough_later(tmp_path):
    asked = SETTINGS.model_copy(update={"accumulate": 12})
    error = memory.out_of_memory(4, tmp_path, asked, asked, 100, 1)
    assert error.next == "a smaller train.image_size, or train.gradient_checkpointing=true", "24 images in 12 parts are 2 each"
    assert error.where == "step 5, train.accumulate=12"
