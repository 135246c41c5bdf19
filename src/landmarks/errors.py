"""The error for what the user can fix, and how text of the user's is shown in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST = {"what": 1000, "where": 1000, "next": 4000}  # characters of each part of a message


def shown(text: object, limit: int = 300) -> str:
    """A value of the user's in a message: one line of at most `limit` characters and a remark; control characters are escaped."""
    return _bounded(_escaped(without_credentials(str(text)), keep=""), limit)


def printable(text: str) -> str:
    """Lines to print: control characters are escaped, and addresses are without their passwords."""
    return _escaped(without_credentials(text), keep="\n\t")


def without_credentials(text: str) -> str:
    """The text with *** for the user and the password in any address, https://***@host/..."""
    return re.sub(r"\S+", lambda word: _without_credentials(word[0]), text) if "@" in text else text


class UserError(Exception):
    """Something in the user's input, files or settings is wrong; the command line prints it and exits with code 2.

    what   the fault, with the offending value
    where  the file, row or key it was found in
    next   the command to type, or the thing to change

    The message is bounded in length, has control characters escaped and no passwords of addresses; the attributes are as given.
    """

    def __init__(self, what: str, *, where: object = None, next: str | None = None):
        self.what, self.where, self.next = what, where, next
        lines = [_clean(what, "what")]
        if where is not None:
            lines.append(f"  where: {_clean(where, 'where')}")
        if next is not None:
            lines.append(f"  next:  {_clean(next, 'next')}")
        super().__init__("\n".join(lines))


@contextmanager
def errors_of_model(name: str) -> Iterator[None]:
    """A UserError within the block names the settings of the model `name` where it says models.NAME: what builds a model knows no name."""
    try:
        yield
    except UserError as error:
        where, next = (part if part is None else str(part).replace("models.NAME", f"models.{name}") for part in (error.where, error.next))
        raise UserError(error.what, where=where, next=next) from error


def _without_credentials(word: str) -> str:
    before, scheme, rest = word.partition("://")
    return f"{before}://***@{rest.rpartition('@')[2]}" if scheme and "@" in rest else word


def _clean(text: object, part: str) -> str:
    return _bounded(_escaped(without_credentials(str(text)), keep="\n"), _LONGEST[part])


def _escaped(text: str, keep: str) -> str:
    """Everything that is not printed as a character of its own, with a backslash: a terminal would carry out control characters."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else one.encode("unicode_escape").decode("ascii") for one in text)


def _bounded(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text):,} characters)"
