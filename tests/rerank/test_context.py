import numpy as np
import pytest

from landmarks.config import load_config, step_class, step_names
from landmarks.ranking import Ranking, Space
from landmarks.rerank.context import Context


def unit(rows):
    rows = np.array(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# Three directions; train has two images of landmark 7 along the first and one of landmark 9 along the second.
TRAIN = unit([[1, 0.1, 0], [1, 0, 0.1], [0, 1, 0]])
INDEX = unit([[0.1, 1, 0], [1, 0.2, 0], [0, 0.3, 1], [1, 0, 0.2]])
TEST = unit([[1, 0.1, 0.1], [0, 1, 0.1]])
LANDMARKS = np.array([7, 7, 9])


def context(base=None):
    base = base or Space(TEST, INDEX, TRAIN)
    return Context(
        base,
        LANDMARKS,
        lambda split: base.vectors(split),
        count_inliers=lambda of, among, query, index: 10 * (index == 1) + (query == 1),
        junk=lambda difficulty: [np.array([0])] * len(base.test),
    )


def ranking(indices=((0, 1, 2), (1, 0, -1))):
    indices = np.array(indices, np.int32).reshape(-1, 3)
    scores = np.where(indices >= 0, 0.5, -np.inf).astype(np.float32)
    return Ranking(np.array(["q0", "q1"][: len(indices)], object), np.array(["i0", "i1", "i2", "i3"], object), indices, scores)


def test_votes_are_of_the_nearest_training_images():
    queries, images = context().votes(ranking(), 2)
    assert queries.labels.tolist() == [0, 1] and images.labels.tolist() == [1, 0, 1, 0]
    similar = np.sort(TRAIN @ TEST[0])[::-1][:2]
    np.testing.assert_allclose(queries.scores[0], similar.mean(), rtol=1e-6)


def test_votes_follow_the_space_of_the_ranking():
    turned = Space(TEST[::-1].copy(), INDEX, TRAIN)
    searched = context().search(ranking(), turned)
    assert context().votes(searched, 2)[0].labels.tolist() == [1, 0]
    assert searched.space is turned and searched.indices.shape == (2, 3)


def test_neighbours_of_a_split_in_itself_leave_the_image_out():
    indices, similarities = context().nearest(context().base, "index", "index", 2)
    assert indices.tolist()[1] == [3, 0] and (np.diff(similarities, axis=1) <= 0).all()
    copies = np.repeat(INDEX[:1], 4, axis=0)
    indices, _ = context().nearest(Space(TEST, copies, TRAIN), "index", "index", 2)
    assert all(row not in found for row, found in enumerate(indices.tolist()))


@pytest.mark.parametrize("name", sorted(set(step_names()) - {"fuse"}))  # which learns, so that it wants a larger world: test_fuse.py
def test_every_step_keeps_a_ranking_s_promises_and_takes_an_empty_one(name):
    needed = {"penalise_non_landmarks": ", landmark_ids: [9]", "classify": ", hidden: 8, dimensions: 4", "diffuse": ", alpha: 0.1"}.get(
        name, ""
    )
    settings = load_config(None, [f"rerank=[{{step: {name}{needed}}}]"]).rerank[0]
    after = settings.apply(ranking(), context())  # the type checks itself
    assert after.indices.shape == (2, 3) and after.indices[0, 0] in (1, 3), "q0, i1 and i3 are all of landmark 7"
    assert (after.space is not None) == step_class(name).searches
    nothing = context(Space(TEST[:0], INDEX, TRAIN))
    assert settings.apply(ranking(()), nothing).indices.shape == (0, 3)
