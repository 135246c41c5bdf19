from types import SimpleNamespace

import pytest
import torch
from torch import nn

from landmarks.errors import UserError
from landmarks.training.resume import RESUME, read_resume, require_processes, write_resume


class Scaler:
    """The gradient scaler of float16, as far as a checkpoint sees it."""

    def __init__(self, scale):
        self.scale = scale

    def state_dict(self):
        return {"scale": self.scale}

    def load_state_dict(self, state):
        self.scale = state["scale"]


def make(seed, outputs=2):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, outputs), nn.BatchNorm1d(outputs))
    return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def step(model, optimizer):
    model(torch.rand(4, 3, generator=torch.Generator().manual_seed(0))).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def test_weights_buffers_momentum_step_and_scale_are_restored(tmp_path):
    model, optimizer = make(0)
    step(model, optimizer)
    write_resume(tmp_path, 7, model, optimizer, Scaler(512.0))
    other, other_optimizer = make(1)
    scaler = Scaler(1.0)
    assert read_resume(tmp_path, other, other_optimizer, scaler) == 7 and scaler.scale == 512
    for _ in range(2):
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[name]), name
        step(model, optimizer)
        step(other, other_optimizer)


def test_a_checkpoint_without_a_scaler_leaves_the_scaler(tmp_path):
    model, optimizer = make(0)
    write_resume(tmp_path, 3, model, optimizer)
    scaler = Scaler(2.0)
    assert read_resume(tmp_path, model, optimizer, scaler) == 3 and scaler.scale == 2


def test_without_a_checkpoint_training_starts_at_0(tmp_path):
    assert read_resume(tmp_path, *make(0)) == 0


def test_a_checkpoint_of_another_model_or_a_damaged_one_is_named(tmp_path):
    write_resume(tmp_path, 1, *make(0))
    with pytest.raises(UserError, match="does not fit") as caught:
        read_resume(tmp_path, *make(0, outputs=5))
    assert caught.value.where == tmp_path / RESUME
    data = (tmp_path / RESUME).read_bytes()
    (tmp_path / RESUME).write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="does not fit"):
        read_resume(tmp_path, *make(0))


def accelerator(processes, device="cpu"):
    return SimpleNamespace(num_processes=processes, device=torch.device(device))


def test_another_number_of_processes_is_said_or_refused(tmp_path):
    model, optimizer = make(0)
    assert require_processes(tmp_path, model, accelerator(2)) == ""
    write_resume(tmp_path, 1, model, optimizer)
    assert require_processes(tmp_path, model, accelerator(1)) == ""
    with pytest.raises(UserError, match=r"(?s)of 1 process and BatchNorm.*train run.processes=1"):
        require_processes(tmp_path, model.train(), accelerator(2))
    for same in (
        require_processes(tmp_path, model.train(), accelerator(2, "cuda")),
        require_processes(tmp_path, model.eval(), accelerator(2)),
    ):
        assert same == "begun by 1 process and continued by 2: the same but for rounding, and for dropout"
