"""From a picture file to RGB pixels, strictly: a damaged file is an error, never a half-grey image."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from landmarks.errors import UserError

# OpenCV's threads do not survive a fork: the loader workers of a process that has used them hang at their first resize.
# One picture at a time gains nothing from threads; the workers are the parallelism.
cv2.setNumThreads(0)

# EXIF orientation -> the transpose that makes the picture upright (EXIF 2.32, tag 0x0112)
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(path: Path, min_side: int) -> np.ndarray:
    """Decode a picture upright: (height, width, 3) uint8 RGB.

    min_side  pixels that the longest side must keep. A JPEG at least twice as large is decoded at 1/2, 1/4 or 1/8, which
              is faster and antialiased; its longest side is then at least this. Smaller pictures are returned as they are. For a
              crop of side c that may take as little as the share a of the longest side, pass c / a.

    Grey, CMYK and palette pictures become RGB; transparent parts become white.
    Raises UserError where the file is missing, unreadable, empty, damaged or cut off, or has more than 179 million pixels.
    """
    path = Path(path)
    data = _read_bytes(path)
    if data.startswith(b"\xff\xd8"):
        # A partial download is often filled with zeros to the full length, which decode as flat grey.
        data = data.rstrip(b"\0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit is twice that of the warning
            picture = Image.open(io.BytesIO(data))
        reduction = min(8, max(picture.size) // max(min_side, 1))
        if reduction >= 2:
            picture.draft(None, (picture.width // reduction, picture.height // reduction))
        orientation = _orientation(picture)
        image = _as_rgb(picture)
    except Image.DecompressionBombError:
        raise UserError(
            "the picture has more pixels than any photo: refused, it would fill the memory",
            where=path,
            next="replace the file with a smaller copy",
        ) from None
    except Exception as error:  # Pillow's readers raise many types of error for a damaged file
        raise UserError(f"damaged or not a picture: {_reason(error)}", where=path, next="replace the file") from None
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    return np.array(image)


def read_box(path: Path, box: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Decode a part of a picture: its pixels (height, width, 3) uint8 RGB, and x, y of their upper left corner in the picture.

    box  (4,) left, top, right, bottom in pixels of the upright picture, rounded; clipped to the picture

    Raises UserError as `read_image` does, and where the box lies outside the picture.
    """
    image = read_image(path, 1 << 30)  # in full: a box may be a small part of it
    height, width = image.shape[:2]
    left, top, right, bottom = np.clip(np.round(box).astype(int), 0, [width, height, width, height]).tolist()
    if right <= left or bottom <= top:
        raise UserError(
            f"the box {list(map(float, box))} lies outside the picture, which is {width} x {height} pixels",
            where=path,
            next="use the ground truth of this dataset",
        )
    return np.ascontiguousarray(image[top:bottom, left:right]), (left, top)


def resize_to_cover(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale (h, w, 3) uint8 uniformly until it covers (height, width), and crop the excess evenly: (height, width, 3).

    The aspect ratio is kept to the nearest pixel.
    """
    scale = max(height / image.shape[0], width / image.shape[1])
    image = resize(image, max(height, round(image.shape[0] * scale)), max(width, round(image.shape[1] * scale)))
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize (h, w, 3) uint8 to (height, width, 3): area averaging when it shrinks, cubic when it grows."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = height * width < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError("missing picture", where=path, next="complete the dataset, or remove the row from its table") from None
    except OSError as error:
        raise UserError(f"cannot read the picture: {error.strerror}", where=path, next="check the file and its permissions") from None
    if not data:
        raise UserError("the file is empty", where=path, next="replace the file")
    return data


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF: the pixels are still good, and most pictures are upright
        return 1


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        grey = np.asarray(image) >> 8  # Pillow would clip 16-bit values at 255
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no known picture format"  # Pillow's own text shows a memory address
    return str(error) or type(error).__name__
