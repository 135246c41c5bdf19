"""Machines that watch each other: by a store in memory and a clock that is set, and as two launches on this machine."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import nullcontext

import pytest

from landmarks import machines as machines_module
from landmarks.machines import FINISHED, PATIENCE_SECONDS, Watch, watched


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
    """A store, a clock in a list, and the two processes of each of three machines."""
    store, clock = Memory(), [0.0]
    return store, clock, [Watch(store, own, own // 2, 6, lambda: clock[0]) for own in range(6)]


def beats(clock, watches, times=4):
    """What the last of so many rounds of beats found, each thing once."""
    for _ in range(times):
        found = [watch.beat() for watch in watches]
        clock[0] += PATIENCE_SECONDS / 2
    return set(found)


def test_machines_that_count_are_at_work_and_one_that_ends_is_named_by_the_others(machines):
    _, clock, watches = machines
    assert beats(clock, watches, 20) == {None} and not any(watch.all_finished for watch in watches)
    assert beats(clock, watches[:4]) == {"machine 2 has ended, or cannot be reached"}


def test_one_process_of_a_machine_that_ends_is_noticed(machines):
    _, clock, watches = machines
    beats(clock, watches, 1)
    assert beats(clock, watches[:3] + watches[4:]) == {"machine 1 has ended, or cannot be reached"}


def test_one_that_never_came_is_noticed(machines):
    _, clock, watches = machines
    assert beats(clock, watches[:4]) == {"another machine has ended, or cannot be reached"}


def test_one_that_stops_with_an_error_is_named_at_once(machines):
    _, clock, watches = machines
    beats(clock, watches, 1)
    watches[3].stop()
    assert beats(clock, watches[:2] + watches[4:], 1) == {"machine 1 has stopped: its own message is on its screen"}


def test_those_that_have_finished_wait_for_those_at_work(machines):
    _, clock, watches = machines
    for watch in watches[:5]:
        watch.state = FINISHED
    assert beats(clock, watches, 20) == {None} and not any(watch.all_finished for watch in watches)
    watches[5].state = FINISHED
    assert beats(clock, watches, 2) == {None} and all(watch.all_finished for watch in watches)
    assert beats(clock, watches[:1]) == {None}, "the others have left"


def test_one_that_ends_is_noticed_by_those_that_wait_for_it(machines):
    _, clock, watches = machines
    for watch in watches[:4]:
        watch.state = FINISHED
    beats(clock, watches, 1)
    assert beats(clock, watches[:4]) == {"machine 2 has ended, or cannot be reached"}


def test_the_store_ends_with_machine_0(machines):
    store, clock, watches = machines
    beats(clock, watches, 1)
    store.ended = True
    watches[2].state = FINISHED
    assert beats(clock, watches[2:], 2) == {None}, "the client may have failed once"
    assert beats(clock, watches[2:], 1) == {"machine 0 has ended, or cannot be reached"}
    watches[3].stop()


def test_the_store_may_end_with_machine_0_when_all_have_finished(machines):
    store, clock, watches = machines
    for watch in watches:
        watch.state = FINISHED
    beats(clock, watches, 2)
    store.ended = True
    assert beats(clock, watches[2:], 10) == {None} and all(watch.all_finished for watch in watches)


def test_a_store_that_does_not_answer_is_that_of_a_machine_that_is_gone(launched, monkeypatch, tmp_path):
    ended, reached = threading.Event(), threading.Event()
    monkeypatch.setattr(os, "_exit", lambda code: ended.set())
    monkeypatch.setattr(machines_module, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(machines_module, "_LEAVING_SECONDS", 0.05)
    monkeypatch.setattr(launched, "check", lambda keys: reached.wait() and False)
    with watched(str(tmp_path / "refusal")):
        assert ended.wait(30) and (tmp_path / "refusal").exists()
    reached.set()


@pytest.fixture
def launched(monkeypatch):
    """The environment of the first process of two machines, and a store without a network."""
    store = Memory()
    for name, value in {"RANK": 0, "GROUP_RANK": 0, "GROUP_WORLD_SIZE": 2, "WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(machines_module, "_connect", lambda: store)
    monkeypatch.setattr(machines_module, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(machines_module, "_FINISHED_SECONDS", 0.01)
    return store


def until(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("half a minute was not enough")


def test_a_process_that_is_done_leaves_when_the_other_machine_is(launched):
    with watched(None) as finish:
        until(lambda: launched.values.get("landmarks/process/0", b"").startswith(b"working"))
        leaving = threading.Thread(target=finish)
        leaving.start()
        until(lambda: launched.values["landmarks/process/0"].startswith(b"finished"))
        assert leaving.is_alive()
        launched.set("landmarks/process/1", "finished 3 1")
        leaving.join(10)
        assert not leaving.is_alive()
    assert launched.values["landmarks/process/0"].startswith(b"finished")


@pytest.mark.parametrize("error", [None, ValueError])
def test_a_process_that_ends_without_having_finished_tells_the_others(launched, error):
    with pytest.raises(error) if error else nullcontext(), watched(None):
        until(lambda: "landmarks/process/0" in launched.values)
        if error:
            raise error
    assert launched.values["landmarks/process/0"].startswith(b"stopped")
    assert not any(thread.name == "watch_machines" for thread in threading.enumerate()), "it would end the process that goes on"


def test_a_process_ends_where_another_machine_has_stopped(launched, monkeypatch, capsys, tmp_path):
    ended = threading.Event()

    def leave(code):
        assert code == 2
        ended.set()

    monkeypatch.setattr(os, "_exit", leave)
    launched.set("landmarks/process/1", "stopped 2 1")
    with watched(str(tmp_path / "refusal")):
        assert ended.wait(10)
    assert (tmp_path / "refusal").exists()
    assert capsys.readouterr().err.startswith("error: machine 1 has stopped: its own message is on its screen\n  next:  the same command")


SETTINGS = [
    "dataset.source=sample",
    "sample={landmarks: 6, longest_side: 96}",
    "models={tiny: {backbone: test_efficientnet, pretrained: false, dimensions: 16}}",
    "train.epochs=0",
    "extract={longest_side: 96, scales: [1.0], workers: 0, shard_images: 4}",
    "run.device=cpu",
]


@pytest.mark.slow
@pytest.mark.parametrize("killed", [1, 0])
def test_two_machines_share_the_work_and_one_that_is_killed_is_noticed(tmp_path, killed):
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
    first[killed].send_signal(signal.SIGKILL)
    out, _ = first[1 - killed].communicate(timeout=200)
    assert first[1 - killed].returncode == 2, out
    assert f"machine {killed} has ended" in out and "the same command again on every machine" in out
    second = on_both("extract", "two")
    for one in second:
        out, _ = one.communicate(timeout=200)
        assert one.returncode == 0, out
    for path in (tmp_path / "alone").glob("descriptors/**/*.npy"):
        assert (tmp_path / "two" / path.relative_to(tmp_path / "alone")).read_bytes() == path.read_bytes()
    assert not list((tmp_path / "two").rglob(".lock"))
