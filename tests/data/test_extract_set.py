import numpy as np
import pytest
from PIL import Image

from landmarks.data.extract_set import ExtractSet, Picture
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
    picture = ExtractSet(tmp_path, "index", ["abc"], longest_side).read(0)
    assert max(picture.pixels.shape) == longest_side
    tolerance = 0.25 * max(1, picture.factors.max())  # a quarter of a pixel of the smaller of the two
    np.testing.assert_allclose(in_the_original(picture), blob, atol=tolerance)
    assert min(height, width) <= picture.shorter_side <= min(height, width) + 8  # a reduced JPEG rounds its sides up


def test_positions_are_those_of_the_upright_original(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    write_photo(tmp_path, "abc", 200, 300, (200, 40), exif=exif)
    picture = ExtractSet(tmp_path, "index", ["abc"], 96).read(0)
    np.testing.assert_allclose(in_the_original(picture), (200 - 1 - 40, 200), atol=0.8)


def test_pictures_are_stacked_by_shape_and_errors_come_beside_them(tmp_path):
    for id, height, width in (("abc", 60, 60), ("abd", 60, 90), ("abf", 61, 60)):
        write_photo(tmp_path, id, height, width, (30, 30))
    pictures = ExtractSet(tmp_path, "index", ["abc", "abd", "abe", "abf"], 64)
    batches, errors = pictures[[3, 2, 1, 0]]
    assert [(batch.positions.tolist(), tuple(batch.pixels.shape)) for batch in batches] == [([3, 0], (2, 64, 64, 3)), ([1], (1, 32, 64, 3))]
    ((position, error),) = errors
    assert position == 2 and isinstance(error, UserError)
    for batch in batches:
        for row, position in enumerate(batch.positions):
            picture = pictures.read(position)
            assert np.array_equal(batch.pixels[row], picture.pixels) and np.array_equal(batch.factors[row], picture.factors)
            assert np.array_equal(batch.offsets[row], picture.offsets) and batch.shorter_sides[row] == picture.shorter_side
        assert batch.part(slice(1)).positions.tolist() == batch.positions[:1].tolist() and batch.shape == batch.pixels.shape[1:3]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize(("height", "width"), [(300, 400), (301, 407), (97, 95), (90, 400), (1200, 805)])
def test_the_shape_is_known_from_the_header(tmp_path, height, width, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    write_photo(tmp_path, "abc", height, width, (30, 30), exif=exif)
    pictures = ExtractSet(tmp_path, "index", ["abc", "abd"], 128)
    assert pictures.shape(0) == pictures.read(0).pixels.shape[:2] and pictures.shape(1) is None


def test_the_shape_of_a_box_is_known_from_the_header(tmp_path):
    write_photo(tmp_path, "abc", 300, 400, (30, 30))
    pictures = ExtractSet(tmp_path, "index", ["abc"] * 3, 128)
    pictures.boxes = np.array([[10.4, 20, 250, 90], [350, -5, 999, 300], [500, 0, 600, 10]])
    for position in (0, 1):
        assert pictures.shape(position) == pictures.read(position).pixels.shape[:2]
    assert pictures.shape(2) is None and isinstance(pictures.read(2), UserError)
