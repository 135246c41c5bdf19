import numpy as np
import pytest
from PIL import Image

from landmarks.data.extract_set import ExtractSet, Picture, read_ahead
from landmarks.datasets.images import image_path
from landmarks.errors import UserError


def write_photo(folder, id, height, width, blob, exif=None, quality=98):
    """A grey photo with one bright, soft blob centred on (x, y)."""
    y, x = np.mgrid[:height, :width]
    radius = max(height, width) / 40
    grey = 40 + 200 * np.exp(-((x - blob[0]) ** 2 + (y - blob[1]) ** 2) / (2 * radius**2))
    path = image_path(folder, "index", id)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey.astype(np.uint8)).convert("RGB").save(path, quality=quality, exif=exif or Image.Exif())


def blob_of(pixels):
    """The blob's centre (x, y) by its centre of mass."""
    weights = np.clip(pixels[..., 0].astype(float) - 60, 0, None)
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    return np.array([(x * weights).sum(), (y * weights).sum()]) / weights.sum()


def in_the_original(picture: Picture):
    return (blob_of(picture.pixels) + 0.5) * picture.factors - 0.5 + picture.offsets


@pytest.mark.parametrize(
    ("height", "width", "longest_side"),
    [
        (300, 400, 128),  # decoded at a half
        (301, 407, 64),  # at a quarter, from odd sides
        (60, 90, 96),  # grown
        (300, 100, 96),
        (97, 95, 96),
        (90, 400, 160),  # the bucket is wider in aspect than the photo
    ],
)
def test_pixels_are_found_again_in_the_original(tmp_path, height, width, longest_side):
    blob = np.array([0.6 * width, 0.45 * height])
    write_photo(tmp_path, "abc", height, width, blob)
    picture = ExtractSet(tmp_path, "index", ["abc"], longest_side)[0]
    assert max(picture.pixels.shape) == longest_side
    tolerance = 0.25 * max(1, picture.factors.max())  # a quarter of a pixel of the smaller of the two
    np.testing.assert_allclose(in_the_original(picture), blob, atol=tolerance)
    assert min(height, width) <= picture.shorter_side <= min(height, width) + 8  # a reduced JPEG rounds its sides up


def test_positions_are_those_of_the_upright_original(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    write_photo(tmp_path, "abc", 200, 300, (200, 40), exif=exif)
    picture = ExtractSet(tmp_path, "index", ["abc"], 96)[0]
    np.testing.assert_allclose(in_the_original(picture), (200 - 1 - 40, 200), atol=0.8)


def test_a_picture_that_cannot_be_read_comes_as_its_error(tmp_path):
    write_photo(tmp_path, "abc", 60, 60, (30, 30))
    items = list(read_ahead(ExtractSet(tmp_path, "index", ["abc", "abd"], 64), workers=1, batch_size=2))
    assert isinstance(items[0], Picture) and items[0].pixels.shape == (64, 64, 3)
    assert isinstance(items[1], UserError)
