import pytest
import torch

from landmarks.errors import UserError
from landmarks.training import hardware
from landmarks.training.hardware import start_accelerator


@pytest.fixture(autouse=True)
def same_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_the_choice_is_printed_with_its_reason(capsys, monkeypatch):
    monkeypatch.setattr(hardware, "cores", lambda: 3)
    accelerator = start_accelerator("cpu", "auto")
    assert accelerator.device.type == "cpu" and accelerator.mixed_precision == "no"
    assert capsys.readouterr().out == "train: on cpu (run.device=cpu), float32, 1 process\n"
    assert torch.get_num_threads() == 3


def test_the_processes_of_a_machine_share_its_cores(monkeypatch):
    monkeypatch.setattr(hardware, "cores", lambda: 8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert start_accelerator("cpu", "bfloat16").mixed_precision == "bf16"
    assert torch.get_num_threads() == 2


def test_float16_is_refused_on_a_cpu():
    with pytest.raises(UserError, match="(?s)float16 needs a GPU.*train.precision=auto"):
        start_accelerator("cpu", "float16")
