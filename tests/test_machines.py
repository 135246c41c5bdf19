"""Machines that watch each other: by a store in memory and a clock that is set, and as two launches on this machine."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from landmarks.machines import PATIENCE_SECONDS, Watch


class Memory:
    """The launcher's store; `ended` with its machine."""

    def __init__(self):
        self.values, self.ended = {}, False

    def _alive(self):
        if self.ended:
            raise RuntimeError("Broken pipe")

    def set(self, key, value):
        self._alive()
        self.values[key] = value.encode()

    def get(self, key):
        self._alive()
        return self.values[key]

    def check(self, keys):
        self._alive()
        return all(key in self.values for key in keys)


@pytest.fixture
def machines():
    """A store, a clock in a list, and three machines."""
    store, clock = Memory(), [0.0]
    return store, clock, [Watch(store, own, 3, lambda: clock[0]) for own in range(3)]


def test_machines_that_count_are_at_work_and_one_that_stops_is_named_by_the_others(machines):
    _, clock, watches = machines
    for _ in range(20):
        assert [watch.beat() for watch in watches] == [None] * 3
        clock[0] += PATIENCE_SECONDS / 2
    for _ in range(4):
        found = [watches[0].beat(), watches[1].beat()]
        clock[0] += PATIENCE_SECONDS / 2
    assert found == ["machine 2 has ended, or cannot be reached"] * 2


def test_one_that_never_came_is_named(machines):
    _, clock, watches = machines
    watches[0].beat()
    clock[0] += PATIENCE_SECONDS + 1
    assert watches[0].beat() == "machine 1 has ended, or cannot be reached"


def test_one_that_is_done_is_not_waited_for(machines):
    _, clock, watches = machines
    for watch in watches:
        watch.beat()
    watches[1].done()
    watches[2].done()
    for _ in range(5):
        assert watches[0].beat() is None
        clock[0] += PATIENCE_SECONDS


def test_the_store_may_end_with_machine_0_when_all_are_done(machines):
    store, clock, watches = machines
    for watch in watches:
        watch.beat()
    store.ended = True
    assert watches[1].beat() is None, "it may have finished just now"
    watches[1].done()
    clock[0] += PATIENCE_SECONDS + 1
    assert watches[1].beat() == "machine 0 has ended, or cannot be reached"


SETTINGS = [
    "dataset.source=sample",
    "sample={landmarks: 6, longest_side: 96}",
    "models={tiny: {backbone: test_efficientnet, pretrained: false, dimensions: 16}}",
    "train.epochs=0",
    "extract={longest_side: 96, scales: [1.0], workers: 0, shard_images: 4}",
    "run.device=cpu",
]


@pytest.mark.slow
def test_two_machines_share_the_work_and_one_that_is_killed_is_noticed(tmp_path):
    (tmp_path / "empty.yaml").write_text("{}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def command(stage, folder, *settings):
        line = [sys.executable, "-m", "landmarks", stage, "--config", str(tmp_path / "empty.yaml"), *SETTINGS, *settings]
        line += [f"dataset.folder={tmp_path / 'world'}", f"run.folder={tmp_path / folder}"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)

    def on_both(stage, folder):
        several = ["run.machines=2", f"run.address=127.0.0.1:{port}"]
        return [command(stage, folder, *several, f"run.machine={machine}") for machine in range(2)]

    for stage, folder in (("sample", "alone"), ("train", "alone"), ("extract", "alone"), ("train", "two")):
        assert command(stage, folder).wait(120) == 0
    first = on_both("extract", "two")
    while not list((tmp_path / "two").glob("descriptors/tiny/train/[0-9]*.npy")):
        assert all(one.poll() is None for one in first), first[0].communicate()[0]
        time.sleep(0.05)
    first[1].send_signal(signal.SIGKILL)
    out, _ = first[0].communicate(timeout=200)
    assert first[0].returncode in (0, 2), out
    if first[0].returncode:
        assert "machine 1 has ended" in out and "the same command again on every machine" in out
    second = on_both("extract", "two")
    for one in second:
        out, _ = one.communicate(timeout=200)
        assert one.returncode == 0, out
    for path in (tmp_path / "alone").glob("descriptors/**/*.npy"):
        assert (tmp_path / "two" / path.relative_to(tmp_path / "alone")).read_bytes() == path.read_bytes()
    assert not list((tmp_path / "two").rglob(".lock"))
