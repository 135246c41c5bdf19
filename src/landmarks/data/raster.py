"""Pictures decoded by Pillow: which formats are opened, and their pixels as RGB in little memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from PIL import ExifTags, Image, UnidentifiedImageError

# Pillow knows some forty formats, and one of them (EPS) starts another program.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
LARGE = 1 << 22  # pixels from which memory counts more than milliseconds
_STRIP = 1 << 20  # pixels that are converted at once
_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")  # and I;16 in any byte order


class Damaged(Exception):
    """A file that its decoder does not take; the text says why."""


@contextmanager
def damage_is_named() -> Iterator[None]:
    """For calls of Pillow's readers alone: they raise nearly any type of error for a damaged file, which becomes Damaged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of corrupt metadata, and of sizes that are below the limit
            yield
    except (MemoryError, Image.DecompressionBombError):
        raise
    except UnidentifiedImageError:  # its own text shows a memory address
        raise Damaged(f"no known picture format ({', '.join(FORMATS)} are read)") from None
    except Exception as error:
        raise Damaged(str(error) or type(error).__name__) from None


def open_picture(file: BinaryIO) -> Image.Image:
    """Read the header of a picture in one of FORMATS. Raises Damaged, and DecompressionBombError as Pillow does."""
    with damage_is_named():
        return Image.open(file, formats=FORMATS)


def decode(picture: Image.Image) -> tuple[np.ndarray, int]:
    """Decode an opened picture and close it: its pixels as they are stored, and its EXIF orientation.

    Returns (height, width, 3) uint8 RGB: transparent parts become white, of 16 bits the upper 8 remain.
    Raises Damaged, also for types of pixels that are not read.
    """
    if picture.mode not in _MODES and not picture.mode.startswith("I;16"):
        kind = {"F": "floating-point numbers", "I": "signed or 32-bit integers"}.get(picture.mode, f"of the kind {picture.mode}")
        raise Damaged(f"its pixels are {kind}; 8 bits a channel are read, and unsigned 16 bits")
    memory = _own_memory(picture)
    given = picture.im if memory is not None else None
    with damage_is_named():
        picture.load()
    width, height = picture.size  # of a TIFF, only now: Pillow turns it upright
    if memory is None or picture.im is not given:
        memory = np.empty(3 * width * height, np.uint8)
    del given
    narrow(memory, height, width, lambda top, bottom: as_rgb(picture.crop((0, top, width, bottom))))
    orientation = orientation_of(picture)
    picture.close()
    with suppress(ValueError):  # refused where something still holds the memory: it is then as large as before
        memory.resize(3 * width * height)
    return memory[: 3 * width * height].reshape(height, width, 3), orientation


def narrow(memory: np.ndarray, height: int, width: int, strip: Callable[[int, int], Image.Image]) -> None:
    """Write the RGB pixels of a picture to the front of `memory`, strip after strip.

    memory  flat, uint8. The picture itself may lie in it, with 3 bytes a pixel or more: nothing is overwritten before it was read
    strip   its rows from `top` to before `bottom` as an RGB image, which is not in `memory`
    """
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        memory[3 * width * top : 3 * width * bottom] = np.asarray(strip(top, bottom)).reshape(-1)


def as_rgb(image: Image.Image) -> Image.Image:
    """A decoded picture, or a part of one, in RGB; on white where it is transparent."""
    if image.mode.startswith("I;16"):
        grey = np.asarray(image) >> 8  # Pillow would clip 16-bit values at 255
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _own_memory(picture: Image.Image) -> np.ndarray | None:
    """Flat memory into which a large picture of 4 bytes a pixel will be decoded; None: Pillow takes memory of its own.

    Where the picture lies in memory of ours, its pixels can be narrowed to 3 bytes in place; a copy would be 7 bytes together.
    """
    width, height = picture.size
    size_in_file = getattr(picture, "_tile_size", picture.size)  # of a TIFF that is to be turned
    if width * height < LARGE or picture.mode not in ("RGB", "RGBA") or picture.format == "GIF" or size_in_file != picture.size:
        return None
    memory = np.zeros(4 * width * height, np.uint8)
    channels = pa.Array.from_buffers(pa.uint8(), memory.size, [None, pa.py_buffer(memory)])
    picture.im = Image.fromarrow(pa.FixedSizeListArray.from_arrays(channels, 4), picture.mode, picture.size).im
    return memory


def orientation_of(image: Image.Image) -> int:
    """How a decoded picture is to be turned: 1 to 8 of EXIF."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF: the pixels are still good, and most pictures are upright
        return 1
