"""The notebook of the documentation runs, cell by cell, and prints what its text says."""

import contextlib
import io
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_cell_of_the_notebook_runs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # with a run beside it or not: here there is none
    cells = json.loads((ROOT / "docs/python.ipynb").read_text(encoding="utf-8"))["cells"]
    names, printed = {"__name__": "notebook"}, []
    for cell in cells:
        if cell["cell_type"] == "code":
            with contextlib.redirect_stdout(io.StringIO()) as said:
                exec(compile("".join(cell["source"]), "docs/python.ipynb", "exec"), names)
            printed.append(said.getvalue())
            assert cell["outputs"] == [] and cell["execution_count"] is None, "outputs are not kept"
    scores = {name.strip(): float(value) for name, value in re.findall(r"^(.+?) mAP@100 ([\d.]+)$", printed[1], flags=re.MULTILINE)}
    assert scores["discriminate,add_labels"] > scores["nearest neighbours"] + 5 and len(scores) == 4
    assert "Ranking of 24 queries over 300 index images" in printed[2] and "no run yet" in printed[4]
