"""The house's one-way doors, read from the code's own imports."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "landmarks"
# From the ground up: a file imports from its own floor and from floors below, never from above.
FLOORS = [
    {"errors", "seeds", "progress", "quantities", "ranking", "command", "lifeline", "reading"},
    {"config"},
    {"ops", "metrics"},
    {"store"},
    {"datasets"},
    {"device", "remote", "search"},
    {"models", "data", "gallery", "summary"},
    {"scoring", "training", "extraction"},
    {"rerank"},
    {"protocols", "ablation", "doctor", "api"},
    {"stage", "launch", "launched"},
    {"arguments", "run_log"},
    {"pipeline"},
    {"notebook"},
    {"stages"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# Each large package has one door.
DOORS = {
    "timm": {"models/backbone.py"},
    "faiss": {"ops/knn.py"},
    "albumentations": {"data/augment.py"},
    "lightgbm": {"models/candidate_ranker.py"},
    "kaggle": {"remote/kaggle_client.py"},
    "kagglesdk": {"remote/kaggle_client.py"},
    "simplejpeg": {"data/jpeg.py"},
}
# ops and metrics know arrays only; models know no data sets.
FORBIDDEN = [
    ("ops", "config"),
    ("metrics", "config"),
    ("models", "data"),
    ("data", "models"),
    ("rerank", "training"),
    ("training", "rerank"),
]


def imports(path):
    """(module, names) of every import statement in a file, wherever it is, relative ones made absolute; not those for types alone."""
    package = ["landmarks", *path.relative_to(SOURCE).parts[:-1]]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    for_types = {id(node) for block in guarded for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            yield ".".join([*above, *([node.module] if node.module else [])]), [alias.name for alias in node.names]


def rooms(path):
    for module, names in imports(path):
        parts = module.split(".")
        if parts[0] == "landmarks":
            yield from ([parts[1]] if len(parts) > 1 else names)


FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path):
    place = path.relative_to(SOURCE)
    own = place.parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for room in rooms(path):
        if room.startswith("__version__"):
            continue
        assert FLOOR[room] <= FLOOR[own], f"{place} imports from {room}, which lies above it"
        assert (own, room) not in FORBIDDEN, f"{place} must not know {room}"
        if own == "stages":
            assert room != "stages", f"{place} imports another stage"


@pytest.mark.parametrize("package", DOORS)
def test_a_large_package_has_one_door(package):
    found = {str(path.relative_to(SOURCE)) for path in FILES for module, _ in imports(path) if module.split(".")[0] == package}
    assert found == DOORS[package]


def test_files_are_small_and_none_is_a_drawer():
    for path in FILES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 250, path
        assert path.stem not in {"utils", "helpers", "common", "misc"}, path


def test_every_room_has_a_floor():
    assert {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in FILES} - {"__init__"} <= set(FLOOR)
