"""Waiting for other processes; the rest of extraction is tested through its stages."""

from types import SimpleNamespace

import pytest

from landmarks.extraction import run


@pytest.mark.parametrize("first", [True, False])
def test_the_first_process_reports_once_what_it_waits_for(tmp_path, monkeypatch, capsys, first):
    clock = [0.0]

    def sleep(seconds):
        clock[0] += 4
        if clock[0] == 40:
            (tmp_path / "00001.npy").touch()

    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    paths = [tmp_path / "00000.npy", tmp_path / "00001.npy"]
    paths[0].touch()
    run._wait_for(paths, "the shards", SimpleNamespace(is_main_process=first))
    assert clock[0] == 40
    said = capsys.readouterr().out
    assert said.count("waiting for the shards: 1 missing, first") == first and said.count("\n") == first
