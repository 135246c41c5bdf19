import numpy as np
import pytest
from scipy import linalg

from landmarks.ops.discriminant import learn_discriminant
from landmarks.ops.vectors import l2_normalise


def photos(landmarks=12, images=9, dimensions=6, seed=0):
    """Images around the centre of their landmark: along the first two axes landmarks differ, along the last two images do."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((landmarks, dimensions)) * [2, 2, 1, 1, 0.1, 0.1]
    labels = np.repeat(np.arange(landmarks), images)
    return centres[labels] + random.standard_normal((len(labels), dimensions)) * [0.1, 0.1, 0.5, 0.5, 2, 2], labels


def test_equal_to_the_generalised_eigenproblem_worked_image_by_image():
    matrix, labels = photos()
    mean = matrix.mean(axis=0)
    within = sum(
        np.outer(row - matrix[labels == label].mean(axis=0), row - matrix[labels == label].mean(axis=0))
        for row, label in zip(matrix, labels, strict=True)
    )
    between = sum(np.outer(matrix[labels == label].mean(axis=0) - mean, matrix[labels == label].mean(axis=0) - mean) for label in labels)
    within, between = within / len(matrix), between / len(matrix)
    total = within + between
    within = 0.8 * within + 0.2 * np.trace(within) / 6 * np.eye(6)
    between = 0.7 * between + 0.3 * np.trace(between) / np.trace(total) * total
    values, axes = linalg.eigh(between, within)  # axes.T @ within @ axes = 1
    values, axes = values[::-1][:4], axes[:, ::-1][:, :4]
    wanted = l2_normalise((matrix - mean) @ axes * np.sqrt(values / (1 + values)))
    found = learn_discriminant(matrix, labels, 4, within=0.2, between=0.3)(matrix)
    np.testing.assert_allclose(found @ found.T, wanted @ wanted.T, atol=1e-4)


def test_images_of_a_landmark_come_together_that_were_apart():
    matrix, labels = photos()
    same = labels[:, None] == labels
    before, after = l2_normalise(matrix), learn_discriminant(matrix, labels, 4, 0.1, 0)(matrix)
    gap = [similarity[same].mean() - similarity[~same].mean() for similarity in (before @ before.T, after @ after.T)]
    assert gap[1] > 1.5 * gap[0] > 0


def test_few_landmarks_do_not_leave_few_dimensions():
    matrix, labels = photos(landmarks=2)
    assert np.linalg.matrix_rank(learn_discriminant(matrix, labels, 4, 0.1, 0.3)(matrix), tol=1e-3) == 4
    assert np.linalg.matrix_rank(learn_discriminant(matrix, labels, 4, 0.1, 0)(matrix), tol=1e-3) == 1


@pytest.mark.parametrize("labels", [np.zeros(9, int), np.arange(9)], ids=["one landmark", "one image each"])
def test_labels_that_tell_nothing_give_numbers(labels):
    matrix = np.random.default_rng(0).standard_normal((9, 5))
    assert np.isfinite(learn_discriminant(matrix, labels, 3, 0.3, 0.3)(matrix)).all()


def test_copies_and_single_images():
    assert np.isfinite(learn_discriminant(np.ones((4, 3)), np.arange(4), 2, 0.3, 0.3)(np.ones((4, 3)))).all()
    with pytest.raises(ValueError, match="two images"):
        learn_discriminant(np.ones((1, 3)), np.zeros(1, int), 2, 0.3, 0.3)
