import pytest
import torch

from landmarks.device import choose_device, computing, resolve_precision
from landmarks.errors import UserError


def test_the_cpu_can_be_asked_for():
    assert choose_device("cpu") == (torch.device("cpu"), "run.device=cpu")


def test_without_cuda_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    device, reason = choose_device("auto")
    assert device.type == "cpu" and "CUDA" in reason
    with pytest.raises(UserError, match="run.device=cuda, but"):
        choose_device("cuda")


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "GPU")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_device("auto") == (torch.device("cuda", 1), "GPU, 2 of 2")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UserError, match="no GPU of its own"):
        choose_device("cuda")


@pytest.mark.parametrize("capability, expected", [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")])
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
