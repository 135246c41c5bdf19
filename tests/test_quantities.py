import pytest

from landmarks.quantities import format_bytes, format_seconds


@pytest.mark.parametrize(
    "count, text",
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (41_000, "41 kB"),
        (999_950, "1 MB"),  # to three digits it is 1000 kB
        (3_204_000, "3.2 MB"),
        (10_000_000, "10 MB"),
        (97.6e9, "97.6 GB"),
        (617.2e9, "617 GB"),
        (1.23e15, "1230 TB"),
    ],
)
def test_the_unit_suits_the_size(count, text):
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    "seconds, text", [(0, "0 s"), (119.4, "119 s"), (119.6, "2 min"), (7169, "119 min"), (7171, "2.0 h"), (360_000, "100.0 h")]
)
def test_durations(seconds, text):
    assert format_seconds(seconds) == text
