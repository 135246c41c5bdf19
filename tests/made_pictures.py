"""Pictures of every format, made from seeds, and ways to damage their files."""

import io

import numpy as np
from PIL import Image

# name -> Pillow's format and options
FORMATS = {
    "jpeg": ("JPEG", {"quality": 90}),
    "jpeg-grey": ("JPEG", {"quality": 90}),
    "jpeg-progressive": ("JPEG", {"quality": 90, "progressive": True}),
    "jpeg-restart": ("JPEG", {"quality": 90, "restart_marker_rows": 1}),
    "jpeg-full-colour": ("JPEG", {"quality": 90, "subsampling": 0, "optimize": True}),
    "jpeg-cmyk": ("JPEG", {"quality": 90}),
    "png": ("PNG", {}),
    "png-grey": ("PNG", {}),
    "png-palette": ("PNG", {}),
    "png-transparent": ("PNG", {}),
    "webp": ("WEBP", {"quality": 90}),
    "webp-lossless": ("WEBP", {"lossless": True}),
    "webp-transparent": ("WEBP", {"quality": 90}),
    "bmp": ("BMP", {}),
    "gif": ("GIF", {}),
    "tiff": ("TIFF", {}),
    "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff-deflate": ("TIFF", {"compression": "tiff_deflate"}),
    "tiff-grey": ("TIFF", {}),
}
_MODES = {"grey": "L", "cmyk": "CMYK", "palette": "P"}
TURNS = {  # EXIF orientation -> how an upright picture is stored
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image),
    7: lambda image: np.rot90(image, 2).transpose(1, 0, 2),
    8: lambda image: np.rot90(image, -1),
}


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Waves, edges and noise: (height, width, 3) uint8."""
    noise = np.random.default_rng(seed).normal(0, 12, (height, width, 3))
    y, x = np.mgrid[:height, :width] / max(height, width)
    image = np.stack([np.sin(9 * x + 3 * y + seed), np.cos(7 * y - 2 * x), np.sin(20 * x * y)], axis=2) * 80 + 128 + noise
    image[height // 3 : height // 2, width // 4 : width // 2] = (220, 40, 30)
    return np.clip(image, 0, 255).astype(np.uint8)


def encoded(name: str, image: np.ndarray, orientation: int | None = None) -> bytes:
    """The file of an image in one of FORMATS; `orientation` is written to its EXIF."""
    format, options = FORMATS[name]
    picture = Image.fromarray(np.ascontiguousarray(image))
    if name.endswith("transparent"):
        picture.putalpha(Image.fromarray(np.linspace(0, 255, image[:, :, 0].size).reshape(image.shape[:2]).astype(np.uint8)))
    mode = next((mode for word, mode in _MODES.items() if name.endswith(word)), picture.mode)
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
        options = options | {"exif": exif}
    file = io.BytesIO()
    picture.convert(mode).save(file, format, **options)
    return file.getvalue()


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def zeros_to_the_end(data: bytes, share: float) -> bytes:
    """A download that was allotted its length and then broke off."""
    begun = cut(data, share)
    return begun + bytes(len(data) - len(begun))


def hole(data: bytes, start: int, length: int) -> bytes:
    return data[:start] + bytes(len(data[start : start + length])) + data[start + length :]


def flipped(data: bytes, position: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1 << bit
    return bytes(changed)
