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


def test_the_card_that_was_chosen_is_accelerate_s(monkeypatch):
    """Accelerate takes the current one: the first of the machine, even where torch has no code for it."""
    current = []
    monkeypatch.setattr(hardware, "choose_device", lambda device: (torch.device("cuda", 1), "a card"))
    monkeypatch.setattr(hardware, "resolve_precision", lambda precision, device: "float32")
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    start_accelerator("auto", "auto")
    assert current == [torch.device("cuda", 1)]
