"""Drivers and cards that are not here, by what torch and the driver would say of them."""

import re
from types import SimpleNamespace

import pytest
import torch

from landmarks.cuda import Cards, absent, driver_version, find_cards, show_usable_cards, supports

CUDA_13 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"]


@pytest.fixture(autouse=True)
def looked_at_anew():
    find_cards.cache_clear()
    yield
    find_cards.cache_clear()


@pytest.mark.parametrize(
    ("cuda", "driver", "what", "install"),
    [
        ("13.0", (535, 104), r"535\.104 is too old for CUDA 13\.0.*580 or later", "update the driver, or pip install .*cu126"),
        ("12.6", (470, 82), r"too old for CUDA 12\.6.*525", "update the driver"),
        ("13.0", (580, 65), "torch finds no card", "nvidia-smi and CUDA_VISIBLE_DEVICES"),
        (None, (580, 65), "built without CUDA", "pip install --force-reinstall torch"),
        ("99.0", (580, 65), "torch finds no card", "nvidia-smi"),
    ],
)
def test_a_driver_without_a_card_is_explained(cuda, driver, what, install):
    fault = absent(cuda, driver)
    assert re.search(what, fault.what) and re.search(install, fault.next)


def test_without_a_driver_nothing_is_wrong():
    assert absent("13.0", None) is None and absent(None, None) is None


@pytest.mark.parametrize(
    ("capability", "built", "runs"),
    [
        ((7, 0), CUDA_13, False),  # V100
        ((6, 0), CUDA_13, False),  # P100
        ((7, 5), CUDA_13, True),  # T4
        ((8, 9), CUDA_13, True),  # machine code of 8.6
        ((12, 1), CUDA_13, True),
        ((13, 0), CUDA_13, True),  # PTX
        ((13, 0), CUDA_13[:-1], False),
        ((9, 0), ["sm_90a"], True),
        ((9, 1), ["sm_90a", "compute_90a"], False),
        ((10, 3), ["sm_100a"], False),
        ((10, 3), ["sm_100f"], True),
        ((12, 0), ["sm_100f", "compute_100f"], False),
        ((12, 0), ["compute_90"], True),
        ((8, 0), ["", "sm_", "gfx90a", "sm_8x"], False),
        ((8, 0), ["sm_86"], False),
        ((8, 0), [], False),
    ],
)
def test_which_cards_a_build_runs_on(capability, built, runs):
    assert supports(capability, built) == runs


def cards(monkeypatch, *capabilities, built=CUDA_13):
    known = [SimpleNamespace(name=f"card {number}", major=major, minor=minor) for number, (major, minor) in enumerate(capabilities)]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(known))
    monkeypatch.setattr(torch.cuda, "get_device_properties", known.__getitem__)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: built)
    return find_cards()


def test_an_older_card_is_left_out_with_the_build_that_has_its_code(monkeypatch):
    found = cards(monkeypatch, (7, 0), (8, 0), (7, 0))
    assert found.usable == (1,) and "card 0 (compute capability 7.0)" in found.fault.what and "cu126" in found.fault.next


def test_a_newer_card_takes_a_newer_torch(monkeypatch):
    found = cards(monkeypatch, (12, 0), built=["sm_80", "sm_90"])
    assert found.usable == () and found.fault.next == "pip install --upgrade torch torchvision"


def test_cards_that_are_supported_have_no_fault(monkeypatch):
    assert cards(monkeypatch, (9, 0), (9, 0)) == Cards((0, 1), None)


def test_a_list_of_architectures_that_nobody_has_seen_is_no_crash(monkeypatch):
    assert cards(monkeypatch, (8, 0), built=["gfx90a", "sm_"]).usable == ()


def test_an_amd_card_is_torch_s_to_judge(monkeypatch):
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert cards(monkeypatch, (9, 4), built=["gfx90a", "gfx942"]) == Cards((0,), None)


def test_a_card_that_does_not_start_is_named_and_not_used(monkeypatch):
    def fails(number):
        raise RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable\nCUDA kernel errors might be reported later")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", fails)
    found = find_cards()
    assert found.usable == () and found.fault.what.endswith("busy or unavailable") and "nvidia-smi" in found.fault.next


@pytest.mark.parametrize(
    ("visible", "shown"),
    [(None, "1,3"), ("4,5,6,7", "5,7"), ("GPU-a, GPU-b,GPU-c,MIG-d", "GPU-b,MIG-d"), ("", "1,3")],
)
def test_launched_processes_see_the_cards_that_can_be_used(monkeypatch, visible, shown):
    cards(monkeypatch, (7, 0), (8, 0), (7, 0), (8, 0))
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    show_usable_cards(environment)
    assert environment == {"CUDA_VISIBLE_DEVICES": shown}


def test_where_all_cards_can_be_used_nothing_is_hidden(monkeypatch):
    cards(monkeypatch, (8, 0), (8, 0))
    environment = {"CUDA_VISIBLE_DEVICES": "1,2"}
    show_usable_cards(environment)
    assert environment == {"CUDA_VISIBLE_DEVICES": "1,2"}


def test_the_driver_of_windows_is_asked_by_its_program(tmp_path):
    program = tmp_path / "usr/lib/wsl/lib/nvidia-smi"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho 560.94; echo 560.94\n")
    assert driver_version(tmp_path) is None  # it may not be run
    program.chmod(0o755)
    assert driver_version(tmp_path) == (560, 94)


def test_the_version_of_the_driver(tmp_path):
    assert driver_version(tmp_path) is None
    folder = tmp_path / "proc/driver/nvidia"
    folder.mkdir(parents=True)
    (folder / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:\n"
    )
    assert driver_version(tmp_path) == (535, 104)
    (folder / "version").write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n")
    assert driver_version(tmp_path) == (580, 65)
    (folder / "version").write_bytes(b"\xff\n")
    assert driver_version(tmp_path) is None
