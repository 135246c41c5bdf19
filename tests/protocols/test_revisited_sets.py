"""The lists of Revisited Oxford and Paris are sets, as in the authors' evaluator (revisitop, evaluate.py)."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks.cli import main
from landmarks.protocols import revisited as module

DIFFICULTIES = {"easy": (["easy"], ["junk", "hard"]), "medium": (["easy", "hard"], ["junk"]), "hard": (["hard"], ["junk", "easy"])}


def by_the_authors(ranked, lists, difficulty):
    """AP and precisions of one query: compute_map, whose positions of positives and junk are those of members of a set."""
    positives, junk = (np.concatenate([lists[kind] for kind in kinds]).astype(int) for kinds in DIFFICULTIES[difficulty])
    if len(positives) == 0:
        return [np.nan] * 4
    pos, out = np.flatnonzero(np.isin(ranked, positives)), np.flatnonzero(np.isin(ranked, junk))
    removed = seen = 0
    for place in range(len(pos)):
        while seen < len(out) and pos[place] > out[seen]:
            removed, seen = removed + 1, seen + 1
        pos[place] -= removed
    relevant, ap = len(np.unique(positives)), 0.0
    for found, rank in enumerate(pos):
        before = 1.0 if rank == 0 else found / rank
        ap += (before + (found + 1) / (rank + 1)) / (2 * relevant)
    places = pos + 1
    cuts = [min(int(places.max()), cut) for cut in (1, 5, 10)]
    return [ap, *(float((places <= cut).sum() / cut) for cut in cuts)]


@pytest.fixture
def evaluated(tmp_path):
    """evaluated(gnd, images): the numbers of the search, whose lists are 0, 1, 2, ... for every query."""

    def evaluate(gnd, images=20):
        folder, out = tmp_path / "roxford5k", tmp_path / "out"
        folder.mkdir(exist_ok=True)
        queries = [{"bbx": [0, 0, 9, 9], **lists} for lists in gnd]
        truth = {"gnd": queries, "imlist": [f"i{n:02d}" for n in range(images)], "qimlist": [f"q{n}" for n in range(len(gnd))]}
        (folder / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(truth))
        angles = np.linspace(0, 1.5, images)  # the similarity to a query falls from image to image
        np.save(folder / "index.npy", np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32))
        np.save(folder / "test.npy", np.tile(np.float32([1, 0]), (len(gnd), 1)))
        (tmp_path / "empty.yaml").write_text("{}\n")
        named = ["--config", str(tmp_path / "empty.yaml"), f"dataset.folder={folder}", f"run.folder={out}", "dataset.source=revisited"]
        for stage in ("prepare", "search", "evaluate"):
            assert main([stage, *named, "run.device=cpu", "run.overwrite=true"]) == 0
        return json.loads((out / "metrics.json").read_text())["chains"]["knn"]

    return evaluate


def test_an_image_that_is_hard_and_junk_is_junk_once(evaluated):
    """The second query's positive has rank 16, and 15 without the junk: (1/4 + 1/32) / 2. Taken out twice it would be 14.1667."""
    first, second = {"easy": [1], "hard": [], "junk": []}, {"easy": [16], "hard": [2], "junk": [2]}
    numbers = evaluated([first, second])
    assert numbers["map_easy"] == 14.0625
    assert numbers["map_easy"] == evaluated([first, second | {"junk": []}])["map_easy"], "as if it were in one list"
    assert evaluated([first, second | {"junk": [2, 2, 2]}])["map_easy"] == 14.0625


def test_a_positive_that_is_listed_twice_is_one(evaluated):
    once = evaluated([{"easy": [1, 4], "hard": [6], "junk": [2]}])
    for lists in ({"easy": [1, 4, 4], "hard": [6, 6]}, {"easy": [4, 1], "hard": [6, 4]}):
        numbers = evaluated([{"junk": [2]} | lists])
        assert numbers["map_medium"] == once["map_medium"] and numbers["precision_at_5_medium"] == once["precision_at_5_medium"]


IMAGES = st.lists(st.integers(0, 11), max_size=6)


@settings(deadline=None, max_examples=300)
@given(st.permutations(range(12)), st.fixed_dictionaries({"easy": IMAGES, "hard": IMAGES, "junk": IMAGES}))
def test_any_lists_score_as_by_the_authors_evaluator(ranked, lists):
    place = {image: rank for rank, image in enumerate(ranked)}
    ranks = {kind: np.array([place[image] for image in images], np.int64) for kind, images in lists.items()}
    for difficulty in DIFFICULTIES:
        expected = by_the_authors(np.array(ranked), lists, difficulty)
        assert module._measure(ranks, difficulty) == pytest.approx(expected, nan_ok=True)
