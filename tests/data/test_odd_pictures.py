"""Every format x thin x huge x orientation x kind of pixels; which formats are opened; how much memory it takes."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from made_pictures import FORMATS, TURNS, encoded, scene
from PIL import EpsImagePlugin, Image

from landmarks.config.dataset import MAX_PIXELS
from landmarks.data import images, raster, webp
from landmarks.data.augment import Augmentation
from landmarks.data.buckets import bucket_shape
from landmarks.data.extract_set import as_picture
from landmarks.data.images import read_image, read_reduced, resize_to_cover
from landmarks.errors import UserError

FULL = 1 << 30


def written(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("height, width", [(1, 3000), (3000, 1), (2, 9000), (7, 1100), (1, 1), (3, 2)])
def test_sound_thin_pictures_are_read(tmp_path, name, height, width):
    path = written(tmp_path / "thin.jpg", encoded(name, scene(height, width)))
    for min_side in (FULL, 1000, 224, 1):
        image, reduction = read_reduced(path, min_side)
        assert image.shape == (-(-height // reduction), -(-width // reduction), 3)
        assert reduction == 1 or (name.startswith("jpeg") and max(image.shape) >= min_side)
    assert resize_to_cover(image, 64, 64).shape == (64, 64, 3)
    assert all(
        Augmentation(name, (64, 64), 0.3, 0)(image, 0, "abc").shape == (64, 64, 3)
        for name in ("none", "soft", "middle", "yokoo_soft", "yokoo_middle", "delg")
    )
    picture = as_picture(path, 96)
    assert picture.pixels.shape == (*bucket_shape(height, width, 96), 3) and np.isfinite(picture.factors).all()


@pytest.mark.parametrize("name", [name for name in FORMATS if not name.startswith(("bmp", "gif", "tiff"))])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(tmp_path, name, orientation):
    upright = scene(30, 50)
    path = written(tmp_path / "turned.jpg", encoded(name, TURNS[orientation](upright), orientation))
    plain = written(tmp_path / "stored.jpg", encoded(name, TURNS[orientation](upright)))
    stored = read_image(plain, FULL)
    assert read_image(path, FULL).shape == (30, 50, 3)
    assert (TURNS[orientation](read_image(path, FULL)) == stored).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_once(tmp_path, orientation):
    """Pillow turns it when it decodes it; asked for its orientation before, it was turned a second time."""
    upright = scene(30, 50)
    tiff = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(TURNS[orientation](upright))).save(tiff, "TIFF", tiffinfo={274: orientation})
    assert (read_image(written(tmp_path / "a.tif", tiff.getvalue()), FULL) == upright).all()


def test_large_pictures_are_decoded_to_the_same_pixels(tmp_path, monkeypatch):
    """They are decoded into memory of ours and narrowed in strips, or by OpenCV."""
    cases = {f"{name}-{turn}": encoded(name, scene(61, 83), turn) for name in FORMATS for turn in (None, 3, 6)}
    paths = {name: written(tmp_path / name, data) for name, data in cases.items()}
    before = {name: read_image(path, FULL) for name, path in paths.items()}
    for module in (raster, webp, images):
        monkeypatch.setattr(module, "LARGE", 1, raising=False)
    monkeypatch.setattr(raster, "_STRIP", 83 * 7)
    for name, path in paths.items():
        after = read_image(path, FULL)
        assert after.flags.c_contiguous and after.flags.writeable and after.shape == before[name].shape
        assert (after == before[name]).all(), name


def test_pixels_that_are_no_bytes_are_refused_or_scaled(tmp_path):
    ramp = np.linspace(0, 1, 64 * 64).reshape(64, 64)
    for kind, reason in ((np.float32, "floating-point"), (np.int32, "integers")):
        path = tmp_path / f"{kind.__name__}.tif"
        Image.fromarray((ramp * (1 if kind == np.float32 else 2**31 - 1)).astype(kind)).save(path)
        with pytest.raises(UserError, match=f"its pixels are .*{reason}"):  # they were black, and white
            read_image(path, FULL)
    for suffix in ("tif", "png"):
        Image.fromarray((ramp * 65535).astype(np.uint16)).save(tmp_path / f"16.{suffix}")
        assert (read_image(tmp_path / f"16.{suffix}", FULL)[:, :, 0] == (ramp * 65535).astype(np.uint16) >> 8).all()


def png_header(width, height):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )


def claimed(name, width, height):
    """A small file whose header says that the picture is as large as this."""
    data = bytearray(encoded(name, scene(8, 8)))
    if name == "png":
        return png_header(width, height)
    if name == "jpeg":
        place = data.index(b"\xff\xc0") + 5
        data[place : place + 4] = struct.pack(">HH", height, width)
    elif name == "webp":
        place = data.index(b"\x9d\x01\x2a") + 3
        data[place : place + 4] = struct.pack("<HH", width, height)
    elif name == "webp-transparent":
        data[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    elif name == "webp-lossless":
        data[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14)
    elif name == "bmp":
        data[18:26] = struct.pack("<ii", width, height)
    elif name == "gif":
        data[6:10] = struct.pack("<HH", width, height)
    elif name == "tiff":
        file = io.BytesIO(data)
        file.seek(int.from_bytes(data[4:8], "little"))
        for place in range(int.from_bytes(file.read(2), "little")):
            start = file.tell() + 12 * place
            if data[start] in (0, 1) and data[start + 1] == 1:  # width, height
                data[start + 8 : start + 12] = struct.pack("<I", (width, height)[data[start]])
    return bytes(data)


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "webp-transparent", "webp-lossless", "bmp", "gif", "tiff"])
def test_pictures_above_the_limit_are_refused_before_they_are_decoded(tmp_path, name, monkeypatch):
    monkeypatch.setattr(images, "decode", None)
    monkeypatch.setattr(images, "read_jpeg", None)
    for width, height in ((13_300, 13_300), (16_000, 16_000)):
        path = written(tmp_path / "huge.jpg", claimed(name, width, height))
        with pytest.raises(UserError, match="more pixels.*refused") as caught:
            read_image(path, 224)
        assert caught.value.where == path and f"dataset.max_pixels={width * height}" in caught.value.next


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "bmp", "tiff"])
def test_pictures_without_pixels_are_damaged_ones(tmp_path, name):
    for width, height in ((0, 3000), (3000, 0), (0, 0)):
        with pytest.raises(UserError, match="damaged or not a picture"):
            read_image(written(tmp_path / "none.jpg", claimed(name, width, height)), 224)


def test_the_limit_is_a_setting_and_includes_itself(tmp_path):
    for name in ("jpeg", "png", "webp"):
        path = written(tmp_path / "a.jpg", encoded(name, scene(30, 40)))
        assert read_image(path, FULL, 1200).shape == (30, 40, 3)
        with pytest.raises(UserError, match=r"more pixels, 40 x 30, than dataset.max_pixels allows"):
            read_image(path, FULL, 1199)
    limit = Image.MAX_IMAGE_PIXELS
    try:  # Pillow's own limit is raised for a higher one of the user's, and never lowered
        with pytest.raises(UserError, match="damaged"):
            read_image(written(tmp_path / "a.jpg", png_header(20_000, 10_000)), FULL, 10**9)
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    assert MAX_PIXELS == 100_000_000


def test_only_the_formats_that_are_meant_are_opened(tmp_path, monkeypatch):
    """Pillow starts Ghostscript for an EPS, whatever its file is called."""
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript"))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    with pytest.raises(UserError, match="no known picture format"):
        read_image(written(tmp_path / "z.jpg", eps), 224)
    small = Image.fromarray(scene(16, 16))
    for format in ("PPM", "TGA", "PCX", "ICO", "JPEG2000", "AVIF", "SGI", "DDS", "PDF", "ICNS", "MSP"):
        try:
            small.convert("1" if format == "MSP" else "RGB").save(tmp_path / "a.jpg", format)
        except (KeyError, OSError):  # a format that this Pillow cannot write
            continue
        with pytest.raises(UserError, match="no known picture format"):
            read_image(tmp_path / "a.jpg", 224)


MEASURE = """
import sys
from pathlib import Path
from landmarks.data.images import read_image

def kilobytes(name):
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)).split()[1])

read_image(Path(sys.argv[1]), 1 << 30)  # what the libraries themselves take
for path in sys.argv[2:]:
    Path("/proc/self/clear_refs").write_text("5")
    before = kilobytes("VmRSS")
    image = read_image(Path(path), 1 << 30)
    print((kilobytes("VmHWM") - before) * 1024, image.nbytes)
    del image
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are read from /proc")
def test_a_picture_takes_at_most_twice_the_memory_of_its_pixels(tmp_path):
    names = "jpeg jpeg-progressive jpeg-cmyk png png-palette png-transparent webp bmp tiff".split()
    image = np.tile(scene(300, 400), (8, 10, 1))  # 10 million pixels
    cases = [(name, turn) for name in names for turn in ((None, 6) if name in ("jpeg", "png") else (None,))]
    paths = [written(tmp_path / f"{name}-{turn}", encoded(name, image, turn)) for name, turn in cases]
    first = written(tmp_path / "first", encoded("png", scene(2100, 2100)))
    found = subprocess.run([sys.executable, "-c", MEASURE, first, *paths], capture_output=True, text=True, check=True).stdout
    for (name, turn), path, line in zip(cases, paths, found.splitlines(), strict=True):
        peak, pixels = map(int, line.split())
        assert peak <= 2 * pixels + path.stat().st_size + (6 << 20), (name, turn, peak / pixels)
