"""Two photos side by side, with lines between their matched points."""

from __future__ import annotations

from math import ceil

import numpy as np
from PIL import Image, ImageDraw, ImageFont

HEIGHT, GAP, BAR = 480, 8, 26  # pixels: of each photo, between the two, of the line of text below
WIDEST = 8 * HEIGHT  # of a photo: a thin panorama would make a picture of a million pixels' width
LINES = 200  # more than these hide the photos
FONT = ImageFont.load_default()


def draw_matches(
    query: np.ndarray, index: np.ndarray, query_points: np.ndarray, index_points: np.ndarray, caption: tuple[str, str]
) -> Image.Image:
    """Both photos scaled to one height, if that is not too wide, a line for each pair of points, a caption under each photo.

    Captions wider than their photos are below each other, and the picture is as wide as they are.

    query, index                (h, w, 3) uint8 RGB
    query_points, index_points  (m, 2) x, y in pixels of these; of more than 200 an even selection is drawn
    """
    photos = [Image.fromarray(photo) for photo in (query, index)]
    zooms = [min(HEIGHT / photo.height, WIDEST / photo.width) for photo in photos]
    sizes = [(max(1, round(photo.width * zoom)), max(1, round(photo.height * zoom))) for photo, zoom in zip(photos, zooms, strict=True)]
    photos = [photo.resize(size, Image.Resampling.LANCZOS) for photo, size in zip(photos, sizes, strict=True)]
    second = photos[0].width + GAP
    width = second + photos[1].width
    texts = [4 + ceil(FONT.getlength(text)) for text in caption]
    beside = texts[0] <= second and second + texts[1] <= width
    places = [(4, HEIGHT + 6), (second + 4, HEIGHT + 6)] if beside else [(4, HEIGHT + 6), (4, HEIGHT + BAR + 6)]
    size = (width, HEIGHT + BAR) if beside else (max(width, *texts) + 4, HEIGHT + 2 * BAR)
    canvas = Image.new("RGB", size, "white")
    canvas.paste(photos[0], (0, 0))
    canvas.paste(photos[1], (second, 0))
    draw = ImageDraw.Draw(canvas)
    chosen = np.unique(np.linspace(0, len(query_points) - 1, min(LINES, len(query_points))).astype(int))
    starts = (query_points[chosen] + 0.5) * zooms[0]
    ends = (index_points[chosen] + 0.5) * zooms[1] + (second, 0)
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        colour = _colour(number / max(1, len(chosen)))
        draw.line([*start, *end], fill=colour, width=1)
        for x, y in (start, end):
            draw.ellipse([x - 2.5, y - 2.5, x + 2.5, y + 2.5], outline=colour)
    for place, text in zip(places, caption, strict=True):
        draw.text(place, text, fill="black", font=FONT)
    return canvas


def _colour(share: float) -> tuple[int, int, int]:
    """Green to yellow to magenta, colours that stand out from sky and stone."""
    red, green, blue = min(1.0, 2 * share), min(1.0, 2 - 2 * share), max(0.0, 2 * share - 1)
    return int(255 * red), int(255 * green), int(255 * blue)
