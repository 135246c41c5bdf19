import pytest
import torch

from landmarks import device as module
from landmarks.cuda import Cards, Fault
from landmarks.device import choose_device, computing, resolve_precision
from landmarks.errors import UserError


def test_the_cpu_can_be_asked_for():
    assert choose_device("cpu") == (torch.device("cpu"), "run.device=cpu")


def test_without_cuda_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(module, "find_cards", lambda: Cards((), None))
    device, reason = choose_device("auto")
    assert device.type == "cpu" and "CUDA" in reason
    with pytest.raises(UserError, match="run.device=cuda, but"):
        choose_device("cuda")


def test_cards_that_cannot_be_used_are_named_with_what_to_install(monkeypatch):
    monkeypatch.setattr(module, "find_cards", lambda: Cards((), Fault("the driver is too old", "update it")))
    assert choose_device("auto") == (torch.device("cpu"), "the driver is too old; to use it: update it")
    with pytest.raises(UserError, match="(?s)run.device=cuda, but the driver is too old.*update it"):
        choose_device("cuda")
    monkeypatch.setattr(module, "find_cards", lambda: Cards((1,), Fault("no code for card 0", "install")))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"GPU {number}")
    assert choose_device("auto") == (torch.device("cuda", 1), "GPU 1; not used: no code for card 0")


def test_each_process_has_a_gpu_of_its_own(monkeypatch, launched):
    monkeypatch.setattr(module, "find_cards", lambda: Cards((0, 1), None))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "GPU")
    launched(1)
    assert choose_device("auto") == (torch.device("cuda", 1), "GPU, 2 of 2")
    launched(2)
    with pytest.raises(UserError, match="no GPU of its own"):
        choose_device("cuda")


@pytest.mark.parametrize("capability, expected", [((6, 1), "float32"), ((7, 5), "float16"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")])
def test_precision_follows_the_hardware(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert resolve_precision("auto", torch.device("cuda", 0)) == expected
    assert resolve_precision("auto", torch.device("cpu")) == "float32"
    assert resolve_precision("bfloat16", torch.device("cpu")) == "bfloat16"


def test_computing_sets_the_precision_and_nothing_stays():
    cpu, ones = torch.device("cpu"), torch.ones(2, 2)
    with computing("bfloat16", cpu):
        assert (ones @ ones).dtype == torch.bfloat16
    with computing("float32", cpu):
        assert (ones @ ones).dtype == torch.float32 and torch.is_inference_mode_enabled()
    assert not torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")
