"""The notebook itself: a few cells that install what the bundle holds and start the package in it."""

from __future__ import annotations

import json
from typing import Any

INTRODUCTION = """# Landmark retrieval

Made by `landmarks bundle`. Add two inputs to this notebook, the competition's data and the bundle's folder as a dataset, and turn the
internet off. It describes whatever photos the competition's `test` and `index` folders hold, searches, re-ranks and writes
`submission.csv`."""

FIND = """import os, subprocess, sys, time
from pathlib import Path

STARTED = time.time()
INPUT = Path(os.environ.get("LANDMARKS_INPUT", "/kaggle/input"))
WORKING = Path(os.environ.get("LANDMARKS_WORKING", "/kaggle/working"))
# A data set lies directly in the input folder, or below its kind and its owner.
BUNDLE = next(path.parent for depth in ("*", "*/*", "*/*/*") for path in INPUT.glob(f"{depth}/bundle.json"))
print(BUNDLE)"""

INSTALL = """wheels = sorted(map(str, (BUNDLE / "wheels").glob("*.whl")))
if wheels:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", *wheels], check=True)"""

RUN = """command = [sys.executable, "-m", "landmarks.notebook", str(BUNDLE), str(INPUT), str(WORKING), str(STARTED)]
environment = os.environ | {"PYTHONPATH": str(BUNDLE / "code"), "PYTHONUNBUFFERED": "1"}
with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
    for line in process.stdout:
        print(line, end="")
if process.returncode:
    raise SystemExit(f"it ended with code {process.returncode}; its own message stands above")"""

SHOW = """with open(WORKING / "submission.csv") as file:
    for line, _ in zip(file, range(3)):
        print(line.rstrip()[:120])"""


def notebook() -> dict[str, Any]:
    """The notebook as JSON (nbformat 4.5)."""
    cells = [{"cell_type": "markdown", "id": "introduction", "metadata": {}, "source": INTRODUCTION.splitlines(keepends=True)}]
    for name, source in (("find", FIND), ("install", INSTALL), ("run", RUN), ("show", SHOW)):
        code = {"cell_type": "code", "id": name, "metadata": {}, "execution_count": None, "outputs": []}
        cells.append(code | {"source": source.splitlines(keepends=True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}


def notebook_text() -> str:
    return json.dumps(notebook(), indent=1) + "\n"
