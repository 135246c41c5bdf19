import pytest


@pytest.mark.parametrize(
    ("more", "size", "expected"),
    [
        ({"header": "id"}, 100, 100),  # a table stays as it is
        ({}, 100, 103),
        ({"share": 0.5}, 100, 51.5),
        ({"about": 1000}, None, 1030),
        ({"about": 1000}, 100, 103),
        ({}, None, 0),
    ],
)
def test_what_an_item_takes_on_the_disk(make_item, more, size, expected):
    assert make_item("a", **more).unpacked(size) == pytest.approx(expected)
