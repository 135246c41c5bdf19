"""Evaluations gather in one ledger and are printed beside the published ones."""

import pytest

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.store.ledger import read_ledger, read_numbers


@pytest.fixture
def command(arrays, tmp_path):
    (tmp_path / "c.yaml").write_text("{}\n")

    def run(*stages, folder="one", more=()):
        for stage in stages:
            settings = [f"dataset.folder={arrays}", f"run.folder={tmp_path / 'runs' / folder}", *more]
            code = main([stage, "--config", str(tmp_path / "c.yaml"), *settings])
            if code:
                return code
        return 0

    return run


def test_runs_side_by_side_share_a_ledger_and_the_table_shows_them_beside_what_was_published(command, tmp_path, capsys):
    ledger = tmp_path / "runs" / "results.csv"
    assert command("search", "evaluate") == 0
    assert command("search", "evaluate", folder="two", more=["whiten.dimensions=8"]) == 0
    table = read_ledger(ledger)
    assert table["chain"].tolist() == ["knn", "knn"] and table["fingerprint"].nunique() == 2
    before = ledger.read_bytes()
    capsys.readouterr()
    assert command("evaluate", "results") == 0
    assert ledger.read_bytes() == before, "the same evaluation a second time"
    said = capsys.readouterr().out
    lines = [line.split("│") for line in said.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in line[1:-1]] for line in lines]
    ours = [row for row in cells if row[1] == "descriptors"]
    for row, (_, entry) in zip(ours, table.iterrows(), strict=True):
        numbers = read_numbers(entry["numbers"])
        assert row[3:5] == [f"{numbers['map_private']:.2f}", f"{numbers['map_public']:.2f}"] and row[5] == entry["date"][:10]
    assert [row[6] for row in ours] == ["1", "2"]
    assert "  1  whitening: none; " in said and "  2  whitening: 8 dimensions, learned on train; " in said
    assert ["GLDv2 (Kaggle 2019)", "ResNet-101", "sort+insert", "36.77", "34.88", "Yokoo et al. 2020", ""] in cells
    assert "ROxf" not in said, "protocols without an evaluation are left out"


def test_before_the_first_evaluation_there_is_what_was_published(command, capsys):
    assert command("results") == 0
    said = capsys.readouterr().out
    assert "no evaluation yet" in said and "ROxf+1M" in said and "Tokyo24/7" in said


def test_another_ledger_can_be_named(command, tmp_path):
    assert command("search", "evaluate", more=[f"run.ledger={tmp_path / 'mine.csv'}"]) == 0
    assert len(read_ledger(tmp_path / "mine.csv")) == 1 and not (tmp_path / "runs" / "results.csv").exists()
    assert load_config(None, ["run.folder=outputs/x"]).ledger.as_posix() == "outputs/results.csv"


def test_a_file_that_is_no_ledger_exits_with_2_and_the_scores_are_there(command, tmp_path, capsys):
    (tmp_path / "mine.csv").write_text("a,b\n")
    assert command("search", "evaluate", more=[f"run.ledger={tmp_path / 'mine.csv'}"]) == 2
    assert "no column date" in capsys.readouterr().err
    assert (tmp_path / "runs" / "one" / "metrics.json").is_file() and (tmp_path / "mine.csv").read_text() == "a,b\n"
