import numpy as np

from landmarks.gallery.batch_sheet import BAR, CELL, GAP, SheetRow, draw_sheet


def flat(height, width, colour):
    return np.full((height, width, 3), colour, np.uint8)


def test_pictures_stand_beside_their_photo_in_the_middle_of_their_cells():
    rows = [
        SheetRow(flat(300, 400, (200, 0, 0)), [flat(64, 64, (0, 200, 0)), flat(320, 320, (0, 0, 200))], "one"),
        SheetRow(flat(400, 300, (90, 0, 0)), [flat(64, 32, (0, 90, 0))], "two \u4e2d"),
    ]
    sheet = np.asarray(draw_sheet("a title " * 100, rows))
    assert sheet.shape == (BAR + GAP + 2 * (CELL + BAR + GAP), 3 * (CELL + GAP) + 3 * GAP, 3)
    for number, colours in enumerate([[(200, 0, 0), (0, 200, 0), (0, 0, 200)], [(90, 0, 0), (0, 90, 0), (255, 255, 255)]]):
        middle = BAR + GAP + number * (CELL + BAR + GAP) + CELL // 2
        for column, colour in enumerate(colours):
            left = GAP + column * (CELL + GAP) + (2 * GAP if column else 0)
            assert tuple(sheet[middle, left + CELL // 2]) == colour
    first = sheet[BAR + GAP + CELL // 2]
    assert (first == (200, 0, 0)).all(axis=1).sum() == CELL and (first == (0, 200, 0)).all(axis=1).sum() == 64  # not enlarged


def test_an_empty_batch_is_a_title():
    assert draw_sheet("nothing", []).height == BAR + GAP
