import cv2
import numpy as np
import pytest
from PIL import Image

from landmarks.data.images import read_image, resize, resize_to_cover
from landmarks.errors import UserError


def scene(height: int, width: int) -> np.ndarray:
    """Smooth waves and a few edges: what a photo has of low and high frequencies."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    image = np.stack([np.sin(9 * x + 3 * y), np.cos(7 * y - 2 * x), np.sin(20 * x * y)], axis=2) * 80 + 128
    image[height // 3 : height // 2, width // 4 : width // 2] = (220, 40, 30)
    return image.astype(np.uint8)


def save(path, image, **options):
    Image.fromarray(image).save(path, quality=95, **options)
    return path


@pytest.mark.parametrize("min_side, longest", [(10_000, 960), (481, 960), (480, 480), (300, 480), (120, 120), (1, 120)])
def test_jpegs_are_reduced_only_as_far_as_asked(tmp_path, min_side, longest):
    assert read_image(save(tmp_path / "a.jpg", scene(720, 960)), min_side).shape == (longest * 3 // 4, longest, 3)


def test_reduced_decoding_is_nearly_decoding_and_shrinking(tmp_path):
    path = save(tmp_path / "a.jpg", scene(720, 960))
    reduced, full = read_image(path, 240), resize(read_image(path, 960), 180, 240)
    difference = np.abs(reduced.astype(int) - full)
    assert difference.mean() < 1 and np.percentile(difference, 99) < 10


def test_a_panorama_is_reduced_by_its_longest_side(tmp_path):
    assert read_image(save(tmp_path / "a.jpg", scene(64, 1024)), 512).shape == (32, 512, 3)


@pytest.mark.parametrize(
    "damage, reason",
    [
        (lambda data: data[: len(data) // 2], "truncated"),
        (lambda data: data[:-200], "truncated"),
        (lambda data: data[: len(data) // 2] + bytes(len(data) // 2), "truncated"),  # zeros to the full length
        (lambda data: b"", "the file is empty"),
        (lambda data: b"<html>404</html>", "no known picture format"),
        (lambda data: bytes(500), "no known picture format"),
    ],
)
def test_damaged_files_are_errors_that_name_them(tmp_path, damage, reason):
    path = save(tmp_path / "a.jpg", scene(200, 300))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=reason) as caught:
        read_image(path, 100)
    assert caught.value.where == path and caught.value.next


def test_zeros_after_the_end_do_no_harm(tmp_path):
    path = save(tmp_path / "a.jpg", scene(200, 300))
    whole = read_image(path, 300)
    path.write_bytes(path.read_bytes() + bytes(512))
    assert (read_image(path, 300) == whole).all()


def test_missing_files_and_folders_are_errors(tmp_path):
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(UserError) as caught:
            read_image(path, 100)
        assert str(path) in str(caught.value)


def test_pictures_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "a.jpg", scene(200, 300))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UserError, match="more pixels"):
        read_image(path, 100)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    upright = scene(96, 160)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_image(save(tmp_path / "a.jpg", np.ascontiguousarray(stored), exif=exif), 160)
    assert image.shape == upright.shape and np.abs(image.astype(int) - upright).mean() < 4


@pytest.mark.parametrize(
    "mode, format, expected",
    [("L", "JPEG", 76), ("CMYK", "JPEG", (255, 0, 0)), ("P", "PNG", (255, 0, 0)), ("RGBA", "PNG", (255, 0, 0)), ("1", "PNG", 0)],
)
def test_every_mode_becomes_rgb(tmp_path, mode, format, expected):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (40, 30), (255, 0, 0)).convert(mode, dither=Image.Dither.NONE).save(path, format)
    image = read_image(path, 40)
    assert image.shape == (30, 40, 3) and image.dtype == np.uint8
    assert np.abs(image[15, 20].astype(int) - expected).max() <= 2


def test_sixteen_bits_are_scaled_and_transparency_is_white(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(np.full((8, 8), 0x8000, np.uint16)).save(path, "PNG")
    assert (read_image(path, 8) == 0x80).all()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(path, "PNG")
    assert (read_image(path, 8) == 255).all()


@pytest.mark.parametrize("height, width", [(50, 80), (64, 64), (200, 31), (400, 640)])
def test_covering_fills_the_shape(height, width):
    assert resize_to_cover(scene(120, 160), height, width).shape == (height, width, 3)


def test_covering_cuts_both_sides_alike():
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 100:200] = 255
    assert (resize_to_cover(image, 50, 50) == 255).all()


def test_reading_leaves_no_threads_that_a_forked_worker_would_wait_for():
    assert cv2.getNumThreads() == 1
