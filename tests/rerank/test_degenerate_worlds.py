"""What auto chooses runs, and finds every image once, where descriptors or labels are not as they should be."""

import numpy as np
import pytest

from landmarks.config import RecognizeSettings
from landmarks.ranking import Space
from landmarks.rerank.choice import choose
from landmarks.rerank.choice_recognition import choose_for_recognition
from landmarks.rerank.context import Context
from landmarks.rerank.steps.auto import Auto
from landmarks.rerank.verdict import chosen


def world(kind, images, landmarks, index):
    random = np.random.default_rng(0)
    centres = random.standard_normal((landmarks + 5, 12))
    labels = np.repeat(np.arange(landmarks), images)
    of = {"train": labels, "index": np.arange(index) % (landmarks + 5), "test": np.arange(3)}
    rows = {split: centres[own] + 0.8 * random.standard_normal((len(own), 12)) for split, own in of.items()}
    if kind == "one image throughout":
        rows = {split: np.repeat(centres[:1], len(own), axis=0) for split, own in of.items()}
    elif kind == "copies in train":
        rows["train"] = np.repeat(centres[:1], len(labels), axis=0)
    elif kind == "copies in the index":
        rows["index"][::2] = rows["index"][0]
    elif kind == "opposite descriptors":
        rows["train"][::2] *= -1
    elif kind == "axes":
        rows = {split: np.eye(12)[np.arange(len(own)) % 12] for split, own in of.items()}
    rows = {split: (part / np.linalg.norm(part, axis=1, keepdims=True)).astype(np.float32) for split, part in rows.items()}
    space = Space.from_splits({split: part.astype(np.float16) for split, part in rows.items()})
    return Context(space, labels, rows.__getitem__).after(())


@pytest.mark.parametrize("kind", ["one image throughout", "copies in train", "copies in the index", "opposite descriptors", "axes"])
@pytest.mark.parametrize(("images", "landmarks", "index"), [(1, 20, 30), (2, 20, 1), (10, 2, 30), (30, 1, 30), (6, 8, 40)])
@pytest.mark.parametrize("recognises", [False, True])
def test_the_chosen_steps_find_every_image_once(kind, images, landmarks, index, recognises):
    context, lists = world(kind, images, landmarks, index), min(10, index)
    with np.errstate(all="raise", under="ignore"):
        if recognises:
            chain = chosen(choose_for_recognition(context, Auto().draw, lists, RecognizeSettings(frequent=0)))
        else:
            chain = chosen(choose(context, Auto().draw, lists))
        ranking = context.search_first(np.arange(3).astype(str), np.arange(index).astype(str), lists)
        for place, step in enumerate(chain):
            ranking = step.apply(ranking, context.after(chain[:place]))
    assert ranking.indices.shape == (3, lists) and np.isfinite(ranking.scores).all()
    assert all(len(np.unique(row[row >= 0])) == lists for row in ranking.indices)
