import numpy as np
import pytest

from landmarks.ops.geometry import SAMPLE, centred, fit, fit_sample, in_pixels, is_plausible, project

MODELS = {
    "similarity": [[0.8, -0.6, 30.0], [0.6, 0.8, -12.0], [0, 0, 1]],
    "affine": [[1.2, 0.3, -40.0], [-0.1, 0.7, 25.0], [0, 0, 1]],
    "homography": [[1.1, 0.2, 15.0], [-0.1, 0.9, 5.0], [3e-4, -2e-4, 1]],
}
POINTS = np.random.default_rng(0).random((30, 2)) * (1000, 700)


def test_project_worked_by_hand():
    model = [[2, 0, 1], [0, 3, -1], [0, 0.5, 1]]
    assert project(np.array(model), np.array([[1.0, 2.0], [0.0, 0.0]])).tolist() == [[1.5, 2.5], [1.0, -1.0]]


@pytest.mark.parametrize("transform", SAMPLE)
def test_a_minimal_sample_and_least_squares_recover_the_transform(transform):
    points, unit, *centres = centred(POINTS, project(np.array(MODELS[transform]), POINTS))
    sample, every = np.arange(SAMPLE[transform]), np.arange(len(POINTS))
    for solve in (lambda model: fit_sample(points, sample, 1e-6, model), lambda model: fit(points, every, len(sample), model)):
        model = np.zeros(9)
        assert solve(model)
        assert project(in_pixels(model, unit, *centres), POINTS) == pytest.approx(project(np.array(MODELS[transform]), POINTS), abs=0.02)


def test_least_squares_is_numpy_s():
    index = project(np.array(MODELS["affine"]), POINTS) + np.random.default_rng(1).normal(size=POINTS.shape)
    points, unit, *centres = centred(POINTS, index)
    model = np.zeros(9)
    assert fit(points, np.arange(len(POINTS)), 3, model)
    expected = np.linalg.lstsq(np.column_stack([POINTS, np.ones(len(POINTS))]), index, rcond=None)[0].T
    assert in_pixels(model, unit, *centres)[:2] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("transform", SAMPLE)
def test_points_in_one_place_or_in_a_line_determine_nothing(transform):
    line = np.column_stack([np.arange(8.0) * (transform != "similarity"), np.zeros(8), np.arange(8.0), np.zeros(8)])
    points, model = np.ascontiguousarray(line.T, np.float32), np.zeros(9)
    assert not fit_sample(points, np.arange(SAMPLE[transform]), 1e-6, model)
    assert not fit(points, np.arange(8), SAMPLE[transform], model)


@pytest.mark.parametrize(
    ("linear", "plausible"),
    [
        ([[1, 0], [0, 1]], True),
        ([[3.9, 0], [0, 3.9]], True),
        ([[4.1, 0], [0, 4.1]], False),
        ([[0.24, 0], [0, 0.24]], False),
        ([[1.4, 0], [0, 0.71]], True),  # 1.97 times
        ([[1.45, 0], [0, 0.69]], False),  # 2.1 times
        ([[1, 0], [0, -1]], False),  # a mirror
        ([[1, 1], [1, 1]], False),  # everything on a line
    ],
)
def test_what_a_camera_can_do(linear, plausible):
    model = np.eye(3)
    model[:2, :2] = linear
    assert is_plausible(model.ravel(), 4.0, 2.0) == plausible


def test_the_linear_part_of_a_homography_is_its_derivative():
    """At the origin, by central differences: anisotropy just below and just above the bound."""
    model = np.array([[1.0, 0.1, 0.5], [-0.2, 1.0, -0.4], [0.3, -0.2, 1.0]])
    step = 1e-5 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    mapped = project(model, step)
    singular = np.linalg.svd(np.stack([mapped[0] - mapped[1], mapped[2] - mapped[3]]) / 2e-5)[1]
    anisotropy = singular[0] / singular[1]
    assert is_plausible(model.ravel(), 8.0, anisotropy * 1.001) and not is_plausible(model.ravel(), 8.0, anisotropy / 1.001)
