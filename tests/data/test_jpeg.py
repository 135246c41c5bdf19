"""JPEG files are decoded to Pillow's pixels, strictly, and sound ones are not refused for what is only odd in their headers."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pictures import scene
from PIL import Image

from landmarks.data.images import read_image
from landmarks.data.jpeg import MAX_SCANS, read_jpeg, reduction_for
from landmarks.data.raster import Damaged
from landmarks.errors import UserError


def jpeg(image, mode="RGB", **options):
    file = io.BytesIO()
    Image.fromarray(image).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def by_pillow(data, reduction=1):
    """As pictures were read before: Pillow's own reduction."""
    picture = Image.open(io.BytesIO(data))
    if reduction > 1:
        picture.draft(None, (max(1, picture.width // reduction), max(1, picture.height // reduction)))
    return np.array(picture.convert("RGB"))


def ours(data, reduction=1):
    picture = Image.open(io.BytesIO(data))
    return read_jpeg(data, picture.size, len(picture.getbands()), reduction)


@settings(deadline=None, max_examples=80)
@given(
    st.integers(1, 70),
    st.integers(1, 90),
    st.sampled_from(["RGB", "L", "CMYK"]),
    st.sampled_from([0, 1, 2, "4:1:1"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 1]),
    st.integers(5, 100),
    st.sampled_from([1, 2, 4, 8]),
)
def test_the_pixels_are_those_of_pillow(height, width, mode, subsampling, progressive, optimize, restart, quality, reduction):
    image = scene(height, width, quality)
    options = {} if mode == "CMYK" else {"subsampling": subsampling}
    data = jpeg(image, mode, quality=quality, progressive=progressive, optimize=optimize, restart_marker_rows=restart, **options)
    if reduction > 1 and max(height, width) < 2 * reduction:
        reduction = 1  # several scales then give one size
    if min(height, width) >= reduction:
        assert (ours(data, reduction) == by_pillow(data, reduction)).all()


@pytest.mark.parametrize(
    "size, min_side, reduction",
    [((640, 480), 320, 2), ((640, 480), 321, 1), ((640, 480), 100, 4), ((640, 480), 1, 8), ((480, 640), 80, 8), ((1, 3000), 10, 1),
     ((9000, 2), 1000, 2), ((9000, 7), 1000, 4), ((1, 1), 1, 1), ((100, 100), 0, 8)],
)  # fmt: skip
def test_by_how_much_a_picture_is_reduced(size, min_side, reduction):
    assert reduction_for(size, min_side) == reduction


@pytest.fixture
def whole():
    return jpeg(scene(40, 60), quality=90)


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(body)) + body


@pytest.mark.parametrize(
    "odd",
    [
        lambda data: data.replace(b"JFIF\0\1", b"JFIF\0\x09"),  # a version that does not exist
        lambda data: data[:2] + segment(0xE2, b"ICC_PROFILE\0\1\3" + b"0123456789") + data[2:],  # one part of three
        lambda data: data[:2] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\7") + data[2:],
        lambda data: data[:2] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\7") + data[20:],  # and no JFIF
        lambda data: data[:2] + segment(0xE1, b"Exif\0\0" + bytes(500)) + data[2:],
        lambda data: data[:2] + segment(0xFE, bytes(3000)) + data[2:],
        lambda data: data[:2] + b"\xff" * 9 + data[2:],  # filling
        lambda data: data[:-2] + b"\xff" * 50 + data[-2:],
        lambda data: data + bytes(999),
        lambda data: data + b"a film" * 99,
        lambda data: data + data,
    ],
)
def test_what_is_only_odd_is_read(tmp_path, whole, odd):
    (tmp_path / "odd.jpg").write_bytes(odd(whole))
    assert (read_image(tmp_path / "odd.jpg", 1 << 30) == by_pillow(whole)).all()


@pytest.mark.parametrize(
    "damage, reason",
    [
        (lambda data: data[:-2], "truncated: Premature end of JPEG file"),
        (lambda data: data[:-2] + bytes(9) + data[-2:], "extraneous bytes"),
        (lambda data: data[: len(data) // 2] + b"\xff\xd9", "premature end of data"),
        (lambda data: data[: len(data) // 2] + data[len(data) // 2 + 100 :], "."),
    ],
)
def test_what_libjpeg_only_warns_of_is_refused(whole, damage, reason):
    with pytest.raises(Damaged, match=reason):
        ours(damage(whole))


def test_thousands_of_scans_are_refused_before_they_are_decoded():
    data = jpeg(scene(16, 16), progressive=True)
    begin = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    begin = data.rindex(b"\xff\xc4", 0, begin)
    scan = data[begin:-2]
    with pytest.raises(Damaged, match=f"more than {MAX_SCANS} scans"):
        ours(data[:begin] + (MAX_SCANS // 2) * scan + data[begin:])


def flat(samplings, height=64, width=96):
    """A JPEG of one colour with any sampling factors, written by hand: a code of one bit for "as before" and for the end of a block."""
    count = len(samplings)
    units = -(-width // (8 * max(h for h, _ in samplings))) * -(-height // (8 * max(v for _, v in samplings)))
    bits, begun = [], set()
    for _ in range(units):
        for number, (h, v) in enumerate(samplings):
            for _ in range(h * v):
                bits.append("00" if number in begun else f"10{20 + number:05b}0")
                begun.add(number)
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")
    components = b"".join(bytes([n + 1, h << 4 | v, 0]) for n, (h, v) in enumerate(samplings))
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xDB, b"\0" + bytes([8] * 64)),
            segment(0xC0, struct.pack(">BHHB", 8, height, width, count) + components),
            segment(0xC4, b"\0" + bytes([1, 1] + [0] * 14) + bytes([0, 5])),
            segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0"),
            segment(0xDA, bytes([count]) + b"".join(bytes([n + 1, 0]) for n in range(count)) + bytes([0, 63, 0])),
            scan,
            b"\xff\xd9",
        ]
    )


RARE = [((2, 2), (1, 1), (1, 1)), ((1, 1), (2, 2), (2, 2)), ((3, 1), (1, 1), (1, 1)), ((2, 1), (1, 2), (1, 1)), ((4, 2),)]


@pytest.mark.parametrize("samplings", RARE)
def test_rare_subsampling_is_read_by_pillow(tmp_path, samplings):
    """The strict decoder does not know it. Such files are rare, and of them only those that are cut off are refused."""
    data, path = flat(samplings), tmp_path / "rare.jpg"
    path.write_bytes(data)
    assert (read_image(path, 1 << 30) == by_pillow(data)).all() and read_image(path, 24).shape == (16, 24, 3)
    path.write_bytes(data[: len(data) - 12])
    with pytest.raises(UserError, match="truncated"):
        read_image(path, 1 << 30)
