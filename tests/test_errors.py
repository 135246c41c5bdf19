import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks.errors import UserError, errors_of_model, printable, shown


def test_the_message_has_what_where_and_next():
    error = UserError("the file is empty", where="a/b.csv", next="replace it")
    assert str(error) == "the file is empty\n  where: a/b.csv\n  next:  replace it"
    assert (error.what, error.where, error.next) == ("the file is empty", "a/b.csv", "replace it")
    assert str(UserError("wrong")) == "wrong"


def test_control_characters_are_shown_escaped():
    error = UserError("the id 'a\x1b[2J\x00\u202e'", where="a\rb/\udcff.csv", next="rename it\nand run again")
    assert str(error) == "the id 'a\\x1b[2J\\x00\\u202e'\n  where: a\\rb/\\udcff.csv\n  next:  rename it\nand run again"
    assert (error.what, error.where) == ("the id 'a\x1b[2J\x00\u202e'", "a\rb/\udcff.csv"), "the attributes are as given"
    assert shown("x\0y\xa0z\n") == "x\\x00y\\xa0z\\n" and shown("Żółć 日本") == "Żółć 日本"


def test_a_message_is_bounded():
    assert len(str(UserError("x" * 10**7, where="y" * 10**7, next="z" * 10**7))) < 7000
    assert shown("x" * 301) == "x" * 300 + "... (301 characters)" and shown("x" * 300) == "x" * 300


def test_a_password_of_an_address_is_in_no_message():
    for address in ("https://me:secret@host/x", "https://secret@host", "http://me:se/cr#et@host:8080/", "https://a:secret@b@host/"):
        message = str(UserError(f"no connection to {address}", where=address, next=f"open '{address}'"))
        assert "secret" not in message and "se/cr" not in message and "https" in message or "http" in message
        assert "secret" not in printable(f"at {address}\n") and "secret" not in shown(address)
    assert printable("https://host/a and me@host\tx\n") == "https://host/a and me@host\tx\n"


@settings(deadline=None, max_examples=200)
@given(st.text(), st.integers(1, 50))
def test_any_text_is_shown_on_one_line_of_bounded_length(text, limit):
    line = shown(text, limit)
    assert line.isprintable() and len(line) <= limit + 30


@pytest.mark.parametrize("next", [None, "models.NAME.backbone=resnet101, or models.NAME.pretrained=false"])
def test_an_error_names_the_settings_of_the_model_that_is_built(next):
    with pytest.raises(UserError) as refused, errors_of_model("r101"):
        raise UserError("no models.NAME there", where="models.NAME.backbone", next=next)
    assert refused.value.what == "no models.NAME there" and refused.value.where == "models.r101.backbone"
    assert refused.value.next == (next and "models.r101.backbone=resnet101, or models.r101.pretrained=false")
    with errors_of_model("r101"):
        pass
