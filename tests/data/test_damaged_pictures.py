"""Every format x cut off x zeros x holes x changed bits: refused, or read as far as the format can tell."""

import io

import numpy as np
import pytest
from made_pictures import FORMATS, cut, encoded, flipped, hole, scene, zeros_to_the_end
from PIL import Image

from landmarks.data.images import read_image
from landmarks.errors import UserError

FULL = 1 << 30
SHARES = np.linspace(0.02, 0.97, 17)
JPEGS = [name for name in FORMATS if name.startswith("jpeg")]
PNGS = [name for name in FORMATS if name.startswith("png")]
# Of these no byte says what is missing: zeros are black pixels.
WITHOUT_ANY_CHECK = ("bmp", "tiff", "tiff-grey")


@pytest.fixture
def read(tmp_path):
    """read(data): the picture in a file of these bytes."""
    path = tmp_path / "picture.jpg"

    def reader(data, min_side=FULL):
        path.write_bytes(data)
        return read_image(path, min_side)

    return reader


def refused(read, data):
    try:
        image = read(data)
    except UserError as error:
        assert error.what.startswith(("damaged or not a picture: ", "the picture has more pixels")) and error.where and error.next
        return True
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    return False


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_cut_off_is_refused(read, name):
    data = encoded(name, scene(120, 160))
    read(data)
    assert all(refused(read, cut(data, share)) for share in SHARES)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in WITHOUT_ANY_CHECK])
def test_downloads_that_were_filled_with_zeros_are_refused(read, name):
    data = encoded(name, scene(240, 320))
    assert all(refused(read, zeros_to_the_end(data, share)) for share in SHARES[:-1])


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_that_was_cut_off_and_closed_is_refused(read, name):
    data = encoded(name, scene(120, 160))
    assert all(refused(read, cut(data, share) + b"\xff\xd9") for share in SHARES)


def test_a_progressive_jpeg_without_its_last_scans_is_refused(read):
    data = encoded("jpeg-progressive", scene(120, 160))
    begin = data.index(b"\xff\xda")
    scans = [place for place in range(begin + 1, len(data)) if data.startswith((b"\xff\xc4", b"\xff\xda"), place)]
    assert len(scans) > 10
    assert all(refused(read, data[:place] + b"\xff\xd9") for place in scans)


@pytest.mark.parametrize("name", [*JPEGS, *PNGS, "webp", "webp-transparent", "gif", "tiff-lzw"])
@pytest.mark.parametrize("length", [512, 2048])
def test_a_hole_of_zeros_is_refused(read, name, length):
    data = encoded(name, scene(240, 320))
    begin = max(700, len(data) // 10)  # behind the header
    assert all(refused(read, hole(data, start, length)) for start in np.linspace(begin, len(data) - length - 40, 9).astype(int).tolist())


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "jpeg-progressive"])
def test_a_lost_block_is_refused(read, name):
    data = encoded(name, scene(240, 320))
    assert all(refused(read, data[:start] + data[start + 512 :]) for start in np.linspace(1000, len(data) - 600, 7).astype(int).tolist())


@pytest.mark.parametrize("name", PNGS)
def test_every_changed_bit_of_a_png_is_found(read, name):
    data = encoded(name, scene(9, 12))
    whole = read(data)
    places = np.random.default_rng(0).integers(0, 8, len(data))
    for position, bit in enumerate(places.tolist()):
        changed = flipped(data, position, bit)
        assert refused(read, changed) or (read(changed) == whole).all(), position


@pytest.mark.parametrize("name", FORMATS)
def test_changed_bytes_end_in_a_picture_or_in_an_error_for_the_user(read, name):
    data, generator = encoded(name, scene(48, 64)), np.random.default_rng(1)
    for position in [*range(60), *generator.integers(0, len(data), 60).tolist()]:
        refused(read, flipped(data, position, int(generator.integers(8))))


@pytest.mark.parametrize("name", FORMATS)
def test_hostile_headers_end_in_a_picture_or_in_an_error_for_the_user(read, name):
    data, generator = encoded(name, scene(20, 30), 6), np.random.default_rng(3)
    for _ in range(40):
        changed = bytearray(data)
        for place in generator.integers(0, min(len(data), 400), generator.integers(1, 6)).tolist():
            changed[place] = generator.choice([0, 1, 127, 128, 255, generator.integers(256)])
        refused(read, bytes(changed))


def test_a_webp_that_says_it_is_shorter_than_its_header_is_refused(read):
    data = encoded("webp", scene(20, 30))
    assert refused(read, data[:4] + (5).to_bytes(4, "little") + data[8:])


@pytest.mark.parametrize("name", ["jpeg", "jpeg-progressive", "jpeg-restart"])
def test_how_many_changed_bits_of_a_jpeg_are_found(read, name):
    """A JPEG has no checksum: a changed bit is found where it leads to a code that does not exist, or to too many or too few of them."""
    data, generator = encoded(name, scene(240, 320)), np.random.default_rng(2)
    found = [refused(read, flipped(data, place, int(generator.integers(8)))) for place in generator.integers(1000, len(data), 60).tolist()]
    assert np.mean(found) > 0.1  # 22 to 33 % of 180 on photos


def test_the_pixels_behind_a_damaged_byte_are_never_returned_half_filled(read):
    """getexif() of a PNG decodes it; its error was swallowed, and the picture was black from the damage on."""
    image = scene(300, 400)
    data = encoded("png", image)
    for share in (0.3, 0.5, 0.8):
        assert refused(read, flipped(data, int(len(data) * share), 3))


def test_even_pictures_are_no_damaged_ones(read):
    """Their data are runs of zeros in many formats."""
    y, x = np.mgrid[:600, :900]
    gradient = np.stack([x * 255 // 900, y * 255 // 600, (x + y) * 255 // 1500], axis=2)
    stripes = np.repeat(((x // 40 % 2) * 200)[:, :, None], 3, axis=2)
    page = np.full((600, 900, 3), 255)
    page[100:200, 100:300] = scene(100, 200)
    for image in (np.zeros((600, 900, 3)), np.full((600, 900, 3), 255), np.full((600, 900, 3), (200, 30, 20)), gradient, stripes, page):
        for name in FORMATS:
            assert read(encoded(name, image.astype(np.uint8))).shape == (600, 900, 3), name
        for options in ({"optimize": True}, {"optimize": True, "progressive": True}, {"quality": 100}, {"quality": 5}):
            file = io.BytesIO()
            Image.fromarray(image.astype(np.uint8)).save(file, "JPEG", **options)
            read(file.getvalue())
        for options in ({"method": 0}, {"method": 6}, {"quality": 5}, {"lossless": True, "method": 0}):
            file = io.BytesIO()
            Image.fromarray(image.astype(np.uint8)).save(file, "WEBP", **options)
            read(file.getvalue())
