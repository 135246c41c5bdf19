import os
import subprocess
import sys

import pytest

from landmarks.doctor.machine import check_faiss, check_memory, check_packages, check_python, check_shared_memory, check_torch
from landmarks.doctor.probes import Broken

FAULT = ["the driver is too old", "update it"]
CARD = {"name": "H200", "memory": 141e9, "capability": "9.0"}


def broken():
    raise Broken("libcudart.so.13: cannot open shared object file")


def test_an_old_python_is_refused():
    assert check_python((3, 10, 9)).state == "missing" and check_python((3, 11, 0)).state == "ok"


def test_packages_that_are_absent_or_too_old_are_named():
    check = check_packages(["numpy>=2.0", "numpy>=99", "no-such-package-here", 'not-for-this; sys_platform == "other"'])
    assert check.state == "missing" and "no-such-package-here is not installed" in check.found and ">=99" in check.found
    assert "not-for-this" not in check.found
    assert check_packages(["numpy>=2.0"]).state == "ok" and check_packages().state == "ok"


@pytest.mark.parametrize(
    ("facts", "device", "states"),
    [
        ({"version": "2.9", "cuda": "13.0", "gpus": [CARD]}, "auto", ["ok", "ok"]),
        ({"version": "2.9", "cuda": "13.0", "gpus": []}, "auto", ["ok", "note"]),
        ({"version": "2.9", "cuda": None, "gpus": []}, "cuda", ["ok", "missing"]),
        ({"version": "2.9", "cuda": "13.0", "gpus": [], "fault": FAULT}, "auto", ["ok", "missing"]),
        ({"version": "2.9", "cuda": "13.0", "gpus": [], "fault": FAULT}, "cpu", ["ok", "note"]),
        ({"version": "2.9", "cuda": "13.0", "gpus": [CARD], "fault": FAULT}, "auto", ["ok", "note", "ok"]),
    ],
)
def test_torch(facts, device, states):
    assert [check.state for check in check_torch(lambda: facts, device)] == states


def test_a_broken_library_is_a_line_on_the_screen():
    (torch,) = check_torch(broken, "auto")
    assert torch.state == "missing" and "libcudart" in torch.found and "installs requirements.txt" in torch.next
    assert check_faiss(broken).state == "missing"


def test_faiss():
    assert check_faiss(lambda: {"works": True}).state == "ok"
    assert check_faiss(lambda: {"works": False}).state == "missing"


def test_memory_against_the_need():
    assert check_memory(3e9, 8e9).state == "ok" and check_memory(9e9, 8e9).state == "missing"


def test_little_shared_memory_is_noted_with_what_to_do():
    check = check_shared_memory(20 << 30, free=64 << 20)
    assert check.state == "note" and check.found.startswith("67.1 MB free in /dev/shm, 21.5 GB needed") and "--shm-size=20g" in check.found
    assert check_shared_memory(20 << 30, free=19 << 30).state == "note" and check_shared_memory(20 << 30, free=20 << 30).state == "ok"
    check = check_shared_memory(0, free=64 << 20)
    assert check.state == "ok" and check.found == "67.1 MB free in /dev/shm", "nothing is loaded"


def test_a_machine_without_the_packages_gets_a_sentence_not_a_traceback():
    code = "import runpy, sys; sys.modules['pydantic'] = None; runpy.run_module('landmarks', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "installs requirements.txt" in done.stderr
