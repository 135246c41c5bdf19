"""Ended by any signal, a command leaves no process behind that goes on writing."""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from landmarks.lifeline import Ended, signals_raise

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found by an environment variable")
SETTINGS = [
    "dataset.source=sample",
    "models={tiny: {backbone: test_efficientnet, pretrained: false, dimensions: 16}}",
    "train={epochs: 3000, image_size: 32, batch_size: 8, workers: 1, checkpoint_minutes: 10, log_steps: 1}",
    "run={device: cpu, processes: 2}",
]
MARKER = "LANDMARKS_TEST_SIGNALS"
PATIENCE = 30  # seconds: a second where nothing else runs, but cores are shared
INTERRUPTED = "interrupted: what is finished is kept"


def _takes_interrupts():
    """A shell lets what it starts in the background ignore SIGINT, these tests as well."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Command:
    """A command in a session of its own, and every process below it, found by a marker in the environment that they inherit."""

    def __init__(self, stage, folder, *settings):
        self.marker = f"{MARKER}={uuid.uuid4()}".encode()
        (folder / "empty.yaml").write_text("{}\n")
        line = [sys.executable, "-m", "landmarks", stage, "--config", str(folder / "empty.yaml"), *SETTINGS, *settings]
        line += [f"dataset.folder={folder / 'world'}", f"run.folder={folder / 'out'}"]
        name, _, value = self.marker.decode().partition("=")
        environment = os.environ | {name: value}
        self.errors = folder / "errors.txt"
        with open(self.errors, "wb") as errors:
            self.parent = subprocess.Popen(
                line, start_new_session=True, stdout=subprocess.DEVNULL, stderr=errors, env=environment, preexec_fn=_takes_interrupts
            )

    def alive(self):
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if self.marker in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
            except OSError:  # ended meanwhile, or another user's
                continue
        return found

    def wait_until(self, condition, seconds=60):
        limit = time.monotonic() + seconds
        while not condition():
            assert self.parent.poll() is None, self.errors.read_text()
            assert time.monotonic() < limit, "it never came so far"
            time.sleep(0.05)

    def all_gone(self, seconds):
        limit = time.monotonic() + seconds
        while left := self.alive():
            if time.monotonic() > limit:
                return [psutil.Process(number).cmdline() for number in left if psutil.pid_exists(number)]
            time.sleep(0.1)
        return []

    def clean_up(self):
        for number in self.alive():
            os.kill(number, signal.SIGKILL)
        self.parent.wait()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signals")
    command = Command("sample", folder, "sample={landmarks: 4, longest_side: 64}")
    assert command.parent.wait() == 0, command.errors.read_text()
    return folder


@pytest.mark.parametrize(
    ("number", "to_group", "code"),
    [
        (signal.SIGTERM, False, 143),
        (signal.SIGINT, True, 130),
        pytest.param(signal.SIGKILL, True, -9, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, False, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, False, 129, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, False, -9, marks=pytest.mark.slow),
    ],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else {True: "group", False: "parent"}.get(value, ""),
)
def test_two_training_processes_end_with_their_parent(tmp_path, world, number, to_group, code):
    (tmp_path / "world").symlink_to(world / "world")
    command = Command("train", tmp_path, "sample={landmarks: 4, longest_side: 64}")
    metrics = tmp_path / "out/models/tiny/metrics.jsonl"
    try:
        command.wait_until(lambda: metrics.is_file() and metrics.stat().st_size > 0)
        assert len(command.alive()) >= 5  # the parent, the agent, two processes, a loading process each
        (os.killpg if to_group else os.kill)(command.parent.pid, number)
        assert command.parent.wait(20) == code
        # Who was asked has waited for the others; who was killed could not.
        assert command.all_gone(PATIENCE if code < 0 else 3) == []
        size = metrics.stat().st_size
        time.sleep(0.3)
        assert metrics.stat().st_size == size
        if code > 0:
            text = command.errors.read_text()
            assert text.count(INTERRUPTED) == 1 and "Traceback" not in text
            assert not list(tmp_path.glob("out/**/.*.part"))
    finally:
        command.clean_up()


def role(process):
    """Which of the command's processes this is, by its own command line and its parent's."""
    words, above = " ".join(process.cmdline()), " ".join(process.parent().cmdline())
    if "landmarks.launched" in words:
        return "launcher"
    return (
        "worker" if "landmarks.launched" not in above and "-m landmarks" in above else "rank" if "landmarks.launched" in above else "parent"
    )


SLOW_WORK = {
    "train": [],
    "extract": ["train={epochs: 0}", "extract={longest_side: 1024, scales: [1.0], workers: 1, shard_images: 4}"],
    "clean": [
        "train={epochs: 0}",
        "models={tiny: {backbone: test_resnet, pretrained: false, dimensions: 16, local: {dimensions: 8}}}",
        "extract={longest_side: 64, scales: [1.0], workers: 1, shard_images: 4, local: {longest_side: 1024, scales: [1.0]}}",
    ],
}
BEFORE = {"train": [], "extract": ["train"], "clean": ["train", "extract"]}
BEGUN = {"train": "models/tiny/metrics.jsonl", "extract": "descriptors/tiny/train/[0-9]*.npy", "clean": "local/tiny/train/[0-9]*.npy"}


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["parent", "launcher", "rank", "worker"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("stage", ["train", "extract", "clean"])
def test_whoever_is_killed_nothing_is_left(tmp_path, world, stage, number, killed):
    """No process, no segment of shared memory, and no lock in the way of the next command."""
    (tmp_path / "world").symlink_to(world / "world")
    settings = ["sample={landmarks: 4, longest_side: 64}", *SLOW_WORK[stage]]
    for earlier in BEFORE[stage]:
        before = Command(earlier, tmp_path, *settings)
        assert before.parent.wait(120) == 0, before.errors.read_text()
    command = Command(stage, tmp_path, *settings)
    try:
        command.wait_until(lambda: any(path.stat().st_size for path in (tmp_path / "out").glob(BEGUN[stage])), 120)
        alive = command.alive()
        victim = next(one for one in alive if role(psutil.Process(one)) == killed)
        os.kill(victim, number)
        if number == signal.SIGINT and killed == "worker":  # which leaves Ctrl-C to its parent
            with suppress(subprocess.TimeoutExpired):  # had the signal ended it, the command would fail within seconds
                assert command.parent.wait(15) == 0, command.errors.read_text()
            return
        assert command.parent.wait(60) != 0
        if killed == "rank":
            text = command.errors.read_text()
            assert command.parent.wait() == 2 and f"one of 2 processes of {stage} was ended by the signal" in text, text
        assert command.all_gone(10) == []
        segments = [name for name in os.listdir("/dev/shm") if any(f"_{one}_" in name for one in alive)]
        assert segments == []
        again = Command(stage, tmp_path, *settings, *(["train.epochs=1", "run.overwrite=true"] if stage == "train" else []))
        assert again.parent.wait(180) == 0, again.errors.read_text()
        assert not list((tmp_path / "out").rglob(".lock"))
    finally:
        command.clean_up()


@pytest.mark.parametrize(
    ("number", "to_group", "code"),
    [(signal.SIGTERM, False, 143), (signal.SIGINT, True, 130), (signal.SIGTERM, True, 143), (signal.SIGKILL, False, -9)],
)
def test_rendering_processes_end_with_their_parent(tmp_path, number, to_group, code):
    command = Command("sample", tmp_path, "sample={landmarks: 60, longest_side: 256}")
    try:
        command.wait_until(lambda: any(tmp_path.glob("world/**/*.jpg")))
        (os.killpg if to_group else os.kill)(command.parent.pid, number)
        assert command.parent.wait(20) == code
        assert command.all_gone(PATIENCE) == []
        if code > 0:
            text = command.errors.read_text()
            assert text.count(INTERRUPTED) == 1 and "Traceback" not in text and "leaked" not in text
            if not to_group:
                assert not list(tmp_path.glob("world/**/.*.part"))
    finally:
        command.clean_up()


def test_a_rendering_process_that_the_system_kills_is_told_of(tmp_path):
    command = Command("sample", tmp_path, "sample={landmarks: 60, longest_side: 256}")
    try:
        command.wait_until(lambda: any(tmp_path.glob("world/**/*.jpg")))
        os.kill(next(one for one in command.alive() if "spawn_main" in " ".join(psutil.Process(one).cmdline())), signal.SIGKILL)
        assert command.parent.wait(20) == 2 and command.all_gone(PATIENCE) == []
        text = command.errors.read_text()
        assert "was ended without a word" in text and "finished work is kept" in text and "Traceback" not in text
    finally:
        command.clean_up()


def test_a_signal_ends_a_block_in_order_and_a_second_one_does_not_disturb_it():
    steps = []
    with pytest.raises(Ended) as caught, signals_raise():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            steps.append("not reached")
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            steps.append("cleaned up")
    assert steps == ["cleaned up"] and caught.value.exit_code == 143 and isinstance(caught.value, KeyboardInterrupt)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_ignores_a_signal_or_handles_it_goes_on_doing_so():
    for handler in (signal.SIG_IGN, lambda number, frame: None):
        before = signal.signal(signal.SIGHUP, handler)
        try:
            with signals_raise():
                os.kill(os.getpid(), signal.SIGHUP)
                assert signal.getsignal(signal.SIGHUP) is handler
        finally:
            signal.signal(signal.SIGHUP, before)
