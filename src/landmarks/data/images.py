"""From a picture file to RGB pixels, strictly: a damaged file is an error, never a half-grey image."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from landmarks.config.dataset import MAX_PIXELS
from landmarks.data.jpeg import read_jpeg, reduction_for
from landmarks.data.png import SIGNATURE, require_checksums
from landmarks.data.raster import LARGE, Damaged, decode, open_picture, orientation_of
from landmarks.data.webp import read_large_webp, read_webp_header, refuse_zeros
from landmarks.errors import UserError
from landmarks.ops.area import shrink_by_area
from landmarks.reading import open_regular

# OpenCV's threads do not survive a fork: the loader workers of a process that has used them hang at their first resize.
# One picture at a time gains nothing from threads; the workers are the parallelism.
cv2.setNumThreads(0)

MinSide = int | Callable[[int, int], int]
_TURNED = (5, 6, 7, 8)  # orientations of EXIF whose height is the width of the upright picture
_METADATA = 64 << 20  # bytes of a file that are no pixels: profiles, previews, a film behind the photo


def read_image(path: Path, min_side: MinSide, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a picture upright: (height, width, 3) uint8 RGB.

    min_side    pixels that the longest side must keep. A JPEG at least twice as large is decoded at 1/2, 1/4 or 1/8, which
                is faster and antialiased; its longest side is then at least this. Smaller pictures are returned as they are. For a
                crop of side c that may take as little as the share a of the longest side, pass c / a. Or a function that says it for
                the height and width of the upright picture; it is asked for JPEGs alone
    max_pixels  of the file's picture; a larger one is refused before it is decoded

    JPEG, PNG, WebP, BMP, GIF and TIFF are read, whatever the file is called; of several pictures the first. Grey, CMYK and palette
    pictures become RGB; transparent parts become white. It takes at most twice the memory of the RGB pixels, and that of the file;
    three times for a progressive JPEG of full colour resolution and for a large WebP with transparency.

    Raises UserError where the file is missing, no regular file, unreadable, empty, cut off, too large, or damaged so that its
    format shows it (docs/own-photos.md has the rates).
    """
    return read_reduced(path, min_side, max_pixels)[0]


def read_reduced(path: Path, min_side: MinSide, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, int]:
    """As `read_image`, and how many pixels of the file became one in each direction: 1, 2, 4 or 8."""
    path = Path(path)
    with _opened(path) as file:
        try:
            pixels, orientation, reduction = _decode(file, path, min_side, max_pixels)
        except Damaged as error:
            raise UserError(f"damaged or not a picture: {error}", where=path, next="replace the file") from None
        except Image.DecompressionBombError as error:  # Pillow's own limit, which is higher
            raise _too_large(int(re.findall(r"\d+", str(error))[0]), "", path) from None
        except MemoryError:
            raise UserError("not enough memory for the picture", where=path, next="a smaller copy, or fewer processes at once") from None
        except OSError as error:
            raise UserError(f"cannot read the picture: {error.strerror or error}", where=path, next="check the file") from None
    return _upright(pixels, orientation), reduction


def upright_size(path: Path) -> tuple[int, int] | None:
    """Height and width of a picture from its header, turned as EXIF says; None where it cannot be read, which `read_image` explains."""
    try:
        with open_regular(path) as file:
            picture = open_picture(file)
            width, height = picture.size
            return (width, height) if orientation_of(picture) in _TURNED else (height, width)
    except (UserError, OSError, Damaged, Image.DecompressionBombError):
        return None


def read_box(path: Path, box: np.ndarray, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, tuple[int, int]]:
    """Decode a part of a picture: its pixels (height, width, 3) uint8 RGB, and x, y of their upper left corner in the picture.

    box  (4,) left, top, right, bottom in pixels of the upright picture, rounded; clipped to the picture

    Raises UserError as `read_image` does, and where the box lies outside the picture.
    """
    image = read_image(path, 1 << 30, max_pixels)  # in full: a box may be a small part of it
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
    if height * width < image.shape[0] * image.shape[1]:
        return shrink_by_area(image, height, width)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)


def _opened(path: Path) -> BinaryIO:
    try:
        return open_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError("missing picture", where=path, next="complete the dataset, or remove the row from its table") from None


def _decode(file: BinaryIO, path: Path, min_side: MinSide, max_pixels: int) -> tuple[np.ndarray, int, int]:
    """The pixels as they are stored, their EXIF orientation, and the reduction."""
    first = file.read(30)
    if not first:
        raise UserError("the file is empty", where=path, next="replace the file")
    if first.startswith(b"RIFF") and first[8:12] == b"WEBP":
        return _decode_webp(file, first, path, max_pixels)
    if first.startswith(SIGNATURE):
        require_checksums(file)
    file.seek(0)
    _allow_in_pillow(max_pixels)
    picture = open_picture(file)
    size = picture.size
    _refuse_size(size, path, max_pixels)
    if not first.startswith(b"\xff\xd8"):
        return *decode(picture), 1
    if not isinstance(min_side, int):
        turned = orientation_of(picture) in _TURNED
        min_side = min_side(size[0], size[1]) if turned else min_side(size[1], size[0])
    reduction = reduction_for(size, min_side)
    pixels = read_jpeg(_whole_jpeg(file, size), size, len(picture.getbands()), reduction)
    if pixels is not None:
        return pixels, orientation_of(picture), reduction
    file.seek(0)
    picture = open_picture(file)
    picture.draft(None, (max(1, size[0] // reduction), max(1, size[1] // reduction)))
    return *decode(picture), reduction


def _decode_webp(file: BinaryIO, first: bytes, path: Path, max_pixels: int) -> tuple[np.ndarray, int, int]:
    header = read_webp_header(first)
    _refuse_size((header.width, header.height), path, max_pixels)
    data = first + file.read(min(header.length, _METADATA + 8 * max_pixels) - len(first))
    if len(data) < header.length:
        raise Damaged("truncated")
    refuse_zeros(data, header.width, header.height)
    if header.width * header.height >= LARGE and not header.animated:
        return *read_large_webp(data), 1
    _allow_in_pillow(max_pixels)
    return *decode(open_picture(io.BytesIO(data))), 1


def _whole_jpeg(file: BinaryIO, size: tuple[int, int]) -> bytes:
    """The file, or as much of it as a picture of this size can need."""
    file.seek(0)
    data = file.read(_METADATA + 4 * size[0] * size[1])
    # A partial download is often filled with zeros to the full length, which decode as flat grey.
    return data.rstrip(b"\0")


def _allow_in_pillow(max_pixels: int) -> None:
    """Pillow has a limit of its own, twice this number; it is only raised, where the user's is higher."""
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > max(2 * Image.MAX_IMAGE_PIXELS, MAX_PIXELS):
        Image.MAX_IMAGE_PIXELS = max_pixels


def _refuse_size(size: tuple[int, int], path: Path, max_pixels: int) -> None:
    if 0 in size:
        raise Damaged("it has no pixels")
    if size[0] * size[1] > max_pixels:
        raise _too_large(size[0] * size[1], f", {size[0]:,} x {size[1]:,},", path)


def _too_large(pixels: int, size: str, path: Path) -> UserError:
    return UserError(
        f"the picture has more pixels{size} than dataset.max_pixels allows: refused, it would fill the memory",
        where=path,
        next=f"replace the file with a smaller copy, or dataset.max_pixels={pixels}",
    )


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turned and mirrored as EXIF says (EXIF 2.32, tag 0x0112); pixels of another number are upright."""
    turns = {
        2: lambda: pixels[:, ::-1],
        3: lambda: pixels[::-1, ::-1],
        4: lambda: pixels[::-1],
        5: lambda: pixels.transpose(1, 0, 2),
        6: lambda: np.rot90(pixels, -1),
        7: lambda: pixels[::-1, ::-1].transpose(1, 0, 2),
        8: lambda: np.rot90(pixels),
    }
    return np.ascontiguousarray(turns[orientation]()) if orientation in turns else pixels
