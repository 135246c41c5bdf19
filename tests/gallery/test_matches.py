import numpy as np

from landmarks.gallery.matches import BAR, GAP, HEIGHT, LINES, WIDEST, draw_matches

GREY, BLACK = np.full((240, 120, 3), 128, np.uint8), np.zeros((960, 480, 3), np.uint8)


def test_each_match_is_a_line_between_its_two_places():
    picture = np.asarray(draw_matches(GREY, BLACK, np.array([[30.0, 60]]), np.array([[240.0, 480]]), ("a", "b"))).astype(int)
    assert picture.shape == (HEIGHT + BAR, 240 + GAP + 240, 3)
    start, end = (2 * 30.5, 2 * 60.5), (240 + GAP + 240.5 / 2, 480.5 / 2)  # x, y
    plain = np.asarray(draw_matches(GREY, BLACK, np.empty((0, 2)), np.empty((0, 2)), ("a", "b"))).astype(int)
    changed = (picture != plain).any(axis=2)
    for share in (0.0, 0.3, 0.6, 1.0):
        x, y = (round(one + share * (other - one)) for one, other in zip(start, end))
        assert changed[y - 1 : y + 2, x - 1 : x + 2].any()
    y, x = np.nonzero(changed)
    assert x.min() >= start[0] - 4 and x.max() <= end[0] + 4 and y.min() >= start[1] - 4 and y.max() <= end[1] + 4


def test_photos_stand_side_by_side_and_the_text_below():
    picture = np.asarray(draw_matches(GREY, BLACK, np.empty((0, 2)), np.empty((0, 2)), ("12 inliers", "b")))
    assert (picture[:HEIGHT, :240] == 128).all() and (picture[:HEIGHT, 240 + GAP :] == 0).all()
    assert (picture[HEIGHT:, :240] < 100).any(), "a text"


def test_a_thin_photo_makes_no_picture_that_is_a_million_pixels_wide():
    thin = np.full((1, 3000, 3), 90, np.uint8)
    picture = np.asarray(draw_matches(thin, GREY, np.array([[2999.0, 0]]), np.array([[0.0, 0]]), ("a", "b")))
    assert picture.shape == (HEIGHT + BAR, WIDEST + GAP + 240, 3) and (picture[0, : WIDEST // 2] == 90).all()


def test_too_many_matches_are_thinned_out():
    points = np.column_stack([np.full(5000, 60.0), np.linspace(0, 239, 5000)])
    picture = np.asarray(draw_matches(GREY, BLACK, points, points, ("a", "b")))
    assert 0 < (picture[:HEIGHT, 240 : 240 + GAP] != 255).any(axis=2)[:, GAP // 2].sum() <= 2 * LINES


def test_captions_wider_than_their_photos_are_whole_and_below_each_other():
    thin, texts = np.full((3000, 30, 3), 128, np.uint8), ("left_photo_0123456789", "right_photo_0123456789: 57 inliers of 1234 matches")
    picture = np.asarray(draw_matches(thin, thin, np.empty((0, 2)), np.empty((0, 2)), texts))
    first, second = picture[HEIGHT : HEIGHT + BAR], picture[HEIGHT + BAR :]
    assert len(second) == BAR
    for line, text in ((first, texts[0]), (second, texts[1])):
        inked = np.flatnonzero((line < 128).any(axis=(0, 2)))
        assert inked.max() < picture.shape[1] - 2 and inked.max() - inked.min() > 4 * len(text), "whole"
