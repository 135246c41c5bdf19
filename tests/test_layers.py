"""Imports go one way, and each large package is imported in one place; read from the code."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "landmarks"
# From the ground up: a file imports from its own layer and from layers below, never from above.
LAYERS = [
    {"errors", "seeds", "progress", "quantities", "ranking", "command", "lifeline", "reading", "machine", "waiting", "cuda", "shortage"},
    {"config"},
    {"ops", "metrics"},
    {"store"},
    {"datasets"},
    {"device", "processes", "remote", "search"},
    {"models", "data", "gallery", "summary"},
    {"scoring", "training", "extraction"},
    {"rerank"},
    {"protocols", "ablation", "doctor", "api"},
    {"stage", "launch", "launched", "machines"},
    {"arguments", "run_log"},
    {"pipeline"},
    {"notebook"},
    {"stages"},
    {"cli"},
    {"__main__"},
]
LAYER = {part: number for number, parts in enumerate(LAYERS) for part in parts}
# Each large package is imported in one place.
PLACES = {
    "timm": {"models/architectures.py"},
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


def parts_used(path):
    for module, names in imports(path):
        above, *below = module.split(".")
        if above == "landmarks":
            yield from below[:1] or names


FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path):
    place = path.relative_to(SOURCE)
    own = place.parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for part in parts_used(path):
        if part.startswith("__version__"):
            continue
        assert LAYER[part] <= LAYER[own], f"{place} imports from {part}, which lies above it"
        assert (own, part) not in FORBIDDEN, f"{place} must not know {part}"
        if own == "stages":
            assert part != "stages", f"{place} imports another stage"


@pytest.mark.parametrize("package", PLACES)
def test_a_large_package_is_imported_in_one_file(package):
    found = {str(path.relative_to(SOURCE)) for path in FILES for module, _ in imports(path) if module.split(".")[0] == package}
    assert found == PLACES[package]


def test_files_are_small_and_none_is_a_mixture():
    for path in FILES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 250, path
        assert path.stem not in {"utils", "helpers", "common", "misc"}, path


def test_every_part_has_a_layer():
    assert {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in FILES} - {"__init__"} <= set(LAYER)
