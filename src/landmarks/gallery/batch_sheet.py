"""A batch of training images on one sheet: each photo, what the model is given of it, and other draws of the augmentation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL, GAP, BAR = 160, 6, 18  # pixels: of a picture's longest side, between pictures, of the line of text below a row
FONT = ImageFont.load_default()


class SheetRow(NamedTuple):
    """A photo, (h, w, 3) uint8 RGB; what was made of it, of the same type; a line of text."""

    photo: np.ndarray
    made: list[np.ndarray]
    caption: str


def draw_sheet(title: str, rows: list[SheetRow]) -> Image.Image:
    """A row a photo: the photo, a gap, what was made of it; below it the caption.

    Photos and what was made of them are scaled to the same longest side, never enlarged.
    """
    columns = 1 + max((len(row.made) for row in rows), default=0)
    width = columns * (CELL + GAP) + 3 * GAP
    canvas = Image.new("RGB", (width, BAR + GAP + len(rows) * (CELL + BAR + GAP)), "white")
    draw = ImageDraw.Draw(canvas)
    draw.text((GAP, GAP // 2), _fitting(title, width - 2 * GAP), fill="black", font=FONT)
    for number, row in enumerate(rows):
        top = BAR + GAP + number * (CELL + BAR + GAP)
        for column, picture in enumerate([row.photo, *row.made]):
            left = GAP + column * (CELL + GAP) + (2 * GAP if column else 0)
            small = Image.fromarray(picture)
            small.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
            canvas.paste(small, (left + (CELL - small.width) // 2, top + (CELL - small.height) // 2))
        draw.text((GAP, top + CELL + 2), _fitting(row.caption, width - 2 * GAP), fill="black", font=FONT)
    return canvas


def _fitting(text: str, width: int) -> str:
    """The text, cut where it would be wider; characters that the font lacks are replaced."""
    text = text.encode("latin-1", "replace").decode("latin-1")
    while text and FONT.getlength(text) > width:
        text = text[:-1]
    return text
