import os
import subprocess
import sys

import pytest

from landmarks.errors import UserError
from landmarks.store import lock
from landmarks.store.artefact import Artefact
from landmarks.store.lock import LOCK, hold, release, tidy

OTHER = """
import sys, time
from pathlib import Path
from landmarks.store.lock import hold, release
hold(Path(sys.argv[1]), shared=sys.argv[2] == "shared")
print("held", flush=True)
sys.stdin.readline()
"""


class Other:
    """Another process that holds a folder until it is told to end, or killed."""

    def __init__(self, folder, how="alone"):
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER, folder, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "held\n"

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(lock, "_PATIENCE", 0.3)


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    release(tmp_path)


def test_a_second_process_is_told_who_holds_the_folder(folder):
    other = Other(folder)
    for _ in range(2):
        with pytest.raises(UserError, match=rf"being made by process {other.process.pid} on .* since [\s\S]*wait until"):
            Artefact(folder, "search", {}, {}).begin()
    assert not (folder / "recipe.json").exists()
    other.kill()
    hold(folder)


def test_what_its_first_process_left_is_held_by_the_others_of_its_run(folder):
    first = Other(folder)
    second = Other(folder, "shared")
    first.kill()
    with pytest.raises(UserError, match="being made by"):
        hold(folder)
    second.kill()
    hold(folder)


def test_the_lock_of_a_killed_process_is_free_at_once(folder, monkeypatch):
    for _ in range(3):
        Other(folder).kill()
    assert (folder / LOCK).exists()
    monkeypatch.setattr(lock, "_PATIENCE", 0)
    hold(folder)


def test_one_process_holds_it_once_and_leaves_nothing(folder):
    for _ in range(2):
        hold(folder)
    release(folder)
    assert os.listdir(folder) == []
    release(folder)
    other = Other(folder)
    with pytest.raises(UserError):
        hold(folder)
    other.kill()


def test_a_lock_file_that_was_deleted_guards_nothing(folder):
    hold(folder)
    (folder / LOCK).unlink()
    hold(folder)
    assert (folder / LOCK).exists()


def test_the_lock_file_of_a_killed_process_is_tidied_and_that_of_a_living_one_is_not(folder):
    other = Other(folder)
    tidy(folder)
    assert (folder / LOCK).exists()
    other.kill()
    tidy(folder)
    assert not (folder / LOCK).exists()
    hold(folder)
    tidy(folder)
    assert (folder / LOCK).exists()


def test_a_process_that_goes_on_after_a_failure_lets_go(folder):
    hold(folder)
    lock.let_go()
    assert os.listdir(folder) == []
    other = Other(folder)
    other.kill()


def test_letting_go_leaves_the_lock_to_the_other_processes_of_the_run(folder):
    hold(folder)
    other = Other(folder, "shared")
    lock.let_go()
    assert (folder / LOCK).exists()
    with pytest.raises(UserError, match="being made by"):
        hold(folder)
    other.kill()
