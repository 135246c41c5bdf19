"""Batches arrive whatever /dev/shm holds: a small one, one that fills up, none at all."""

import os
import shutil
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from landmarks.data import hand_over
from landmarks.data.hand_over import handed_over, is_shared_memory_enough, started


class Pictures(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, place):
        return torch.full((2, 4), place, dtype=torch.uint8)


def loader(workers):
    return DataLoader(Pictures(), batch_size=None, num_workers=workers, collate_fn=partial(handed_over, shared=True))


@pytest.fixture(autouse=True)
def said_anew():
    hand_over._said.clear()


def numbers(items):
    return [int(np.asarray(one).max()) for one in items]


def test_a_worker_gives_tensors_while_there_is_room_and_arrays_afterwards(monkeypatch):
    items = list(started(loader, 1))
    assert all(isinstance(one, torch.Tensor) and one.is_shared() for one in items) and numbers(items) == [0, 1, 2]
    share = torch.Tensor.share_memory_

    def full(tensor):
        if tensor.max() > 0:
            raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")
        return share(tensor)

    monkeypatch.setattr(torch.Tensor, "share_memory_", full)
    items = list(started(loader, 1))
    assert numbers(items) == [0, 1, 2] and isinstance(items[0], torch.Tensor)


def test_where_no_process_can_be_started_this_one_loads(monkeypatch, capsys):
    def no_room(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hand_over.multiprocessing, "Semaphore", no_room)
    assert numbers(started(loader, 2)) == numbers(started(loader, 2)) == [0, 1, 2]
    assert capsys.readouterr().out.count("/dev/shm is full or missing") == 1


def test_too_little_for_what_waits_is_said_once(monkeypatch, capsys):
    monkeypatch.setattr(hand_over, "free_shared_memory", lambda: 12 << 30)
    assert is_shared_memory_enough(9 << 30) and not is_shared_memory_enough(10 << 30) and not is_shared_memory_enough(10 << 30)
    said = "12.9 GB free in /dev/shm of the 13.4 GB for pictures that wait: loading processes hand over pictures through pipes"
    assert capsys.readouterr().out == f"{said}, which is slower; docker run --shm-size=13g gives more\n"
    monkeypatch.setattr(hand_over, "free_shared_memory", lambda: 64 << 20)
    assert not is_shared_memory_enough(1) and capsys.readouterr().out == "", "of the same run"
    hand_over._said.clear()
    assert not is_shared_memory_enough(1) and "67.1 MB free in /dev/shm of the 1.07 GB" in capsys.readouterr().out
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    monkeypatch.setattr(hand_over, "free_shared_memory", lambda: 12 << 30)
    assert not is_shared_memory_enough(2 << 30), "eight processes need as much each"


SCRIPT = """
from functools import partial
import torch
from torch.utils.data import DataLoader, Dataset
from landmarks.data.hand_over import handed_over, started

class Pictures(Dataset):
    def __len__(self):
        return 6
    def __getitem__(self, place):
        return torch.full((1 << 20,), place, dtype=torch.uint8)

hand = partial(handed_over, shared=True)
kept = list(started(lambda workers: DataLoader(Pictures(), batch_size=None, num_workers=workers, collate_fn=hand), 1))
print([int(torch.as_tensor(one).sum()) >> 20 for one in kept], {type(one).__name__ for one in kept} >= {"ndarray"})
"""
MOUNT = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
SMALL = "mount -t tmpfs -o size=2m tmpfs /dev/shm && "


def in_small_shared_memory(command):
    done = subprocess.run([*MOUNT, SMALL + command], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(
    shutil.which("unshare") is None or in_small_shared_memory("true")[0] != 0, reason="no memory of its own can be mounted here"
)
@pytest.mark.parametrize(("fill", "said"), [("true", ""), ("head -c 4m /dev/zero > /dev/shm/full; true", "this one loads")])
def test_two_megabytes_of_shared_memory_are_enough_for_six_of_pictures(tmp_path, monkeypatch, fill, said):
    """Where an earlier version waited forever for a batch that its process could not hand over."""
    (tmp_path / "script.py").write_text(SCRIPT)
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(os.path.dirname(hand_over.__file__))))
    code, text = in_small_shared_memory(f"({fill}) 2>/dev/null; exec {sys.executable} {tmp_path / 'script.py'}")
    assert code == 0 and "[0, 1, 2, 3, 4, 5]" in text and said in text, text
    assert said or "True" in text, "some of them went through the pipe"
