import mmap
import sys
from types import SimpleNamespace

import pytest
from numba.core import event

from landmarks.rerank import cost as module
from landmarks.rerank.cost import measured


@pytest.fixture
def pass_time(monkeypatch):
    """A clock that goes on by so many seconds when it is told to."""
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def passed(seconds):
        now[0] += seconds

    return passed


def compile_for(passed, seconds, *, within=lambda: None):
    """As numba reports it: a function that calls another compiles it meanwhile."""
    event.start_event("numba:compile")
    passed(seconds)
    within()
    event.end_event("numba:compile")


def test_seconds_are_those_of_the_block_without_compilation(pass_time):
    with measured() as cost:
        assert cost.seconds == 0
        pass_time(0.05)
        compile_for(pass_time, 0.2, within=lambda: compile_for(pass_time, 0.2))
        compile_for(pass_time, 0.2)
    assert cost.seconds == pytest.approx(0.05)
    compile_for(pass_time, 0.01)
    assert cost.seconds == pytest.approx(0.05), "it is not counted any more"


def fill(size):
    """Use so many bytes that the process does not have yet: what an allocator gives may be memory that it kept."""
    with mmap.mmap(-1, size) as memory:
        for start in range(0, size, mmap.PAGESIZE):
            memory[start] = 1


def test_the_peak_is_that_of_the_block_and_no_earlier_one():
    if not module._forget_peak():
        pytest.skip("this system does not let a process forget its peak")
    fill(160_000_000)  # given back at once
    with measured() as small:
        pass
    with measured() as large:
        fill(80_000_000)
    assert 60 < large.peak_megabytes - small.peak_megabytes < 120


@pytest.mark.parametrize(("platform", "unit"), [("linux", 1024), ("darwin", 1024 * 1024)])
def test_where_the_peak_cannot_be_forgotten_it_is_that_of_the_process(monkeypatch, platform, unit):
    monkeypatch.setattr(module, "_forget_peak", lambda: False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(module.resource, "getrusage", lambda who: type("usage", (), {"ru_maxrss": 300 * unit}))
    with measured() as cost:
        pass
    assert cost.peak_megabytes == 300.0
