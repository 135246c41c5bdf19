"""The report that a GPU writes, here at toy size on the CPU."""

import csv
import sys
from pathlib import Path

import pytest
import torch

from landmarks.cuda import Cards

PARTS = {"correct", "limit", "search", "verification", "training", "extraction", "decoding", "all", "GLDv2"}
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    threads = torch.get_num_threads()
    import gpu

    yield gpu
    torch.set_num_threads(threads)
    for name in ("gpu", "gpu_checks", "gpu_memory", "gpu_speeds"):
        sys.modules.pop(name, None)


def rows_of(folder):
    with open(folder / "report.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_part_is_measured_and_everything_that_must_hold_does_without_some_packages(gpu, tmp_path, monkeypatch, capsys):
    for name in ("faiss", "lightgbm", "albumentations", "kaggle"):
        monkeypatch.setitem(sys.modules, name, None)
    assert gpu.main(["--cpu", "--out", str(tmp_path)]) == 0
    rows = rows_of(tmp_path)
    assert {row["part"] for row in rows} == PARTS
    assert sum(row["holds"] == "yes" for row in rows) == 14 and not any("failed" in row["what"] for row in rows)
    assert len((tmp_path / "report.md").read_text().splitlines()) == len(rows) + 4
    assert any("FAISS is not installed" in row["what"] for row in rows)
    assert "pairs/s" in capsys.readouterr().out


def test_what_fails_and_what_has_no_time_left_is_said(gpu, tmp_path, monkeypatch):
    def descriptors(sizes, device):
        raise RuntimeError("CUDA error: no kernel image")
        yield

    monkeypatch.setattr(gpu.gpu_checks, "descriptors", descriptors)
    gpu.main(["--cpu", "--out", str(tmp_path), "--seconds", "0"])
    *parts, _ = rows_of(tmp_path)
    assert len(parts) == 15 and all("no time was left" in row["what"] for row in parts)
    first = next(iter(gpu.report(gpu.TOY, torch.device("cpu"), 60)))
    assert first.holds is False and first.what == "descriptors failed: RuntimeError: CUDA error: no kernel image"


def test_without_a_gpu_it_says_why(gpu, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "find_cards", lambda: Cards((), None))
    assert gpu.main([]) == 2 and "--cpu" in capsys.readouterr().out
