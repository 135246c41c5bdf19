from types import SimpleNamespace

from landmarks import waiting
from landmarks.waiting import Timed


def test_the_share_of_the_time_that_went_by_waiting(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(waiting, "time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def items():
        for number in range(3):
            clock[0] += 3
            yield number

    timed = Timed(items())
    for _ in timed:
        clock[0] += 1
    assert timed.share_waited() == 9 / 12
    clock[0] += 5
    assert timed.share_waited() == 0, "it is counted anew"
