from types import SimpleNamespace

import pytest
import torch

from landmarks import processes
from landmarks.processes import Processes, all_processes


def test_parts_are_divided_by_number_and_none_is_left_out():
    shares = [Processes(index, 3).own(range(10)) for index in range(3)]
    assert [list(share) for share in shares] == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]


def test_a_process_alone_waits_for_nobody():
    alone = all_processes(torch.device("cpu"))
    assert alone == Processes(0, 1) and alone.first and list(alone.own(range(3))) == [0, 1, 2]
    done = []
    alone.meet()
    alone.first_alone(lambda: done.append(True))
    assert done == [True]


@pytest.mark.parametrize("first", [True, False])
def test_the_first_process_reports_once_what_it_waits_for(tmp_path, monkeypatch, capsys, first):
    clock = [0.0]

    def sleep(seconds):
        clock[0] += 4
        if clock[0] == 40:
            (tmp_path / "00001.npy").touch()

    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    paths = [tmp_path / "00000.npy", tmp_path / "00001.npy"]
    paths[0].touch()
    Processes(0 if first else 1, 2).wait_for(paths, "the shards")
    assert clock[0] == 40
    said = capsys.readouterr().out
    assert said.count("waiting for the shards: 1 missing, first") == first and said.count("\n") == first
