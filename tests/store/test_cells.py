import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landmarks.store.cells import integer, number, words


def test_integers_are_written_in_one_way_only():
    assert [integer(text) for text in ("0", "7", "-7", str(2**63 - 1), str(-(2**63)))] == [0, 7, -7, 2**63 - 1, -(2**63)]
    odd = ["", "00", "007", "-0", "+5", "0x10", "1_000", "1e3", "5.0", " 5", "5 ", "5\n", "٣", "５", str(2**63), "9" * 5000, "nan"]
    assert [text for text in odd if integer(text) is not None] == []


def test_numbers_are_finite_decimals():
    assert [number(text) for text in ("1", "-1.5", ".5", "5.", " 2 ", "1e-3", "+7E2", "007")] == [1, -1.5, 0.5, 5, 2, 0.001, 700, 7]
    odd = ["", "nan", "inf", "-Infinity", "1_000", "0x10", "1e400", "1e99999", "٣", "1,5", "1 2", "True", "9" * 5000, "--1", "."]
    assert [text for text in odd if number(text) is not None] == []


def test_words_end_at_spaces_and_control_characters_alone():
    assert words(" a\tb\rc\x00d\n e ") == ["a", "b", "c", "d", "e"]
    assert words("a\xa0b\u2028c\x85d\u3000e") == ["a\xa0b\u2028c\x85d\u3000e"], "these may be part of an id"


@given(st.integers())
def test_any_integer_comes_back_if_it_fits(value):
    assert integer(str(value)) == (value if -(2**63) <= value < 2**63 else None)


@given(st.floats())
def test_any_float_comes_back_if_it_is_finite(value):
    assert number(repr(value)) == (value if math.isfinite(value) else None)


@pytest.mark.parametrize("read", [integer, number])
@given(text=st.text(max_size=20))
def test_any_text_is_a_number_or_none(read, text):
    value = read(text)
    assert value is None or value == float(text)
