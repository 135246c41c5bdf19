import numpy as np
import pytest
from PIL import Image

from landmarks.data.aspects import SQUARE, batches_of_one_shape, nearest_shape, read_shapes, shapes_of
from landmarks.datasets.images import image_path


def test_the_published_shapes():
    """As in the authors' size_template S2 and SM2, which are (width, height)."""
    assert [(width, height) for height, width in shapes_of(448)] == [(512, 352), (512, 384), (448, 448), (384, 512), (352, 512)]
    assert [(width, height) for height, width in shapes_of(608)] == [(736, 512), (704, 544), (608, 608), (544, 704), (512, 736)]


@pytest.mark.parametrize("side", [32, 128, 224, 512, 800, 1000])
def test_other_sides_are_scaled(side):
    shapes = shapes_of(side)
    assert shapes[SQUARE] == (side, side) and [shape[::-1] for shape in shapes[::-1]] == list(shapes)
    for shape, published in zip(shapes[:2], ((352, 512), (384, 512)), strict=True):
        assert all(length % 8 == 0 and abs(length - side * other / 448) <= 4 for length, other in zip(shape, published, strict=True))


def test_the_nearest_shape():
    """height / width: 2:3 and wider, 3:4, about square, 4:3, 3:2 and taller."""
    sizes = [(9, 16), (2, 3), (68, 100), (3, 4), (1, 1), (5, 4), (4, 3), (14, 10), (3, 2), (16, 9)]
    assert nearest_shape(*np.array(sizes).T).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_shapes_are_read_upright_and_damage_is_square(tmp_path):
    photos = {"aaa1": ((160, 90), 1), "aaa2": ((160, 90), 6), "aaa3": ((100, 100), 1), "aaa4": ((90, 120), 8)}
    for id, (size, orientation) in photos.items():
        path = image_path(tmp_path, "train", id)
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", size).save(path, exif=exif)
    image_path(tmp_path, "train", "aaa5").write_bytes(b"nothing")
    assert read_shapes(tmp_path, np.array([*photos, "aaa5", "aaa6"], object)).tolist() == [0, 4, 2, 1, SQUARE, SQUARE]
    assert read_shapes(tmp_path, np.array([], object)).tolist() == []


@pytest.mark.parametrize("count, batch, unit", [(500, 8, 1), (503, 8, 1), (40, 8, 1), (7, 7, 1), (500, 8, 2), (60, 6, 2)])
def test_batches_hold_one_shape_but_for_what_is_left_over(count, batch, unit):
    shapes = np.random.default_rng(0).choice(5, count, p=[0.1, 0.3, 0.4, 0.15, 0.05])
    positions, of_step = batches_of_one_shape(shapes, batch, unit)
    assert positions.shape == (count // batch, batch) and len(np.unique(positions)) == positions.size
    leaders = shapes[positions.reshape(len(positions), -1, unit)[:, :, 0]]
    pure = (leaders == of_step[:, None]).all(axis=1)
    expected = sum((np.bincount(shapes[::unit], minlength=5) // (batch // unit)).tolist())
    assert pure.sum() >= expected and len(positions) - expected <= 4
    for step in np.flatnonzero(~pure):
        assert (leaders[step] == of_step[step]).sum() == np.bincount(leaders[step]).max()
    assert (np.diff(positions.min(axis=1)) > 0).all()  # in the order of the epoch
    if unit == 2:
        assert (positions[:, ::2] % 2 == 0).all() and (positions[:, 1::2] == positions[:, ::2] + 1).all()


def test_images_of_a_shape_come_in_the_order_of_the_epoch():
    positions, of_step = batches_of_one_shape(np.array([0, 1, 0, 1, 1, 0, 0, 1]), 2)
    assert positions.tolist() == [[0, 2], [1, 3], [4, 7], [5, 6]] and of_step.tolist() == [0, 1, 1, 0]
