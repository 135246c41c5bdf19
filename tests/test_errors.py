from landmarks.errors import UserError


def test_the_message_has_what_where_and_next():
    error = UserError("the file is empty", where="a/b.csv", next="replace it")
    assert str(error) == "the file is empty\n  where: a/b.csv\n  next:  replace it"
    assert (error.what, error.where, error.next) == ("the file is empty", "a/b.csv", "replace it")
    assert str(UserError("wrong")) == "wrong"
