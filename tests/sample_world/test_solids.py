import numpy as np
import pytest

from sample_world.solids import battlements, dome, flat, gable, loft, prism, quarter_turned, rectangle, regular, turned


def corners(face):
    return face.origin + face.outline[:, :1] * face.across + face.outline[:, 1:] * face.down


def area(face):
    x, y = face.outline.T
    share = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    return share * np.linalg.norm(np.cross(face.across, face.down))


def outward(face, centre):
    """Whether the side that is painted faces away from the centre of the body."""
    return np.cross(face.down, face.across) @ (corners(face).mean(0) - centre) > 0


SQUARE = rectangle(4, 6, (1, 2))


@pytest.mark.parametrize(
    "body",
    [
        prism(SQUARE, 0, 3, "wall", "lid"),
        loft(SQUARE, 0, (SQUARE - [1, 2]) * 0.5 + [1, 2], 3, "wall"),
        prism(regular(7, 3, (1, 2)), 0, 3, "wall", wrap=True),
        dome(3, 0, 3, "roof", (1, 2), "onion"),
        gable(SQUARE, 1, 3, "roof", "wall"),
        turned([(1, 0), (2, 1), (0, 3)], 9, "stone", (1, 2)),
    ],
    ids=["prism", "loft", "wrapped", "dome", "gable", "turned"],
)
def test_faces_look_outwards(body):
    centre = np.array([1, 2, 1.5])
    assert len(body) > 3 and all(outward(face, centre) for face in body)


def test_areas_by_hand():
    assert sum(map(area, prism(SQUARE, 0, 3, "wall", "lid"))) == pytest.approx(2 * (4 + 6) * 3 + 24)
    assert sum(map(area, prism(SQUARE, 0, 3, "wall", wrap=True))) == pytest.approx(60)
    assert sum(map(area, loft(rectangle(2, 2), 0, np.zeros((4, 2)), 1, "roof"))) == pytest.approx(4 * np.sqrt(2))
    roof = gable(rectangle(6, 10), 0, 4, "roof", "wall")
    assert sum(map(area, roof)) == pytest.approx(2 * 6 * 4 / 2 + 2 * 5 * 10)


def test_a_level_face_is_seen_from_one_side():
    above, below = flat(SQUARE, 2, "floor"), flat(SQUARE, 2, "ceiling", "below")
    for face, side in ((above, 1), (below, -1)):
        assert np.sign(np.cross(face.down, face.across)[2]) == side
        np.testing.assert_allclose(corners(face), np.column_stack([SQUARE, [2] * 4]))


def test_battlements_have_teeth_on_every_side():
    faces = battlements(rectangle(8, 8), 5, 2, "stone", tooth=2)
    assert len(faces) == 8  # both sides of four walls
    for face in faces:
        heights = corners(face)[:, 2]
        assert heights.max() == pytest.approx(7) and heights.min() == pytest.approx(5)
        assert area(face) < 8 * 2


def test_a_quarter_turn():
    face = quarter_turned(prism(rectangle(2, 4), 0, 1, "wall"), (10, 20))[0]
    np.testing.assert_allclose(corners(face).mean(0), [8, 20, 0.5])
