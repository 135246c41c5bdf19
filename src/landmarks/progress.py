"""Messages and progress bars while a stage runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from tqdm import tqdm

from landmarks.errors import printable


def say(message: str) -> None:
    """Print one line, above any progress bar that is running; control characters are escaped, passwords of addresses left out."""
    with tqdm.external_write_mode():
        print(printable(message), flush=True)


def confirmed(question: str, ask: Callable[[str], str] = input) -> bool:
    """Whether "yes" is typed; False where nobody is there to be asked."""
    try:
        return ask(f"{question} type yes: ").strip() == "yes"
    except EOFError:
        return False


def progress(
    items: Iterable | None, what: str, unit: str, *, total: int | None = None, done: int = 0, hidden: bool = False, scaled: bool = False
) -> tqdm:
    """A progress bar with rate and time left, on standard error; in a log file it prints one line every 10 s.

    items   what to iterate over, or None to advance the bar with `.update(n)`
    done    how many of `total` an earlier run had finished
    hidden  no bar: for all processes but the first
    scaled  numbers are shown with k and M
    """
    interactive = sys.stderr.isatty()
    return tqdm(
        items,
        desc=what,
        unit=unit,
        total=total,
        initial=done,
        disable=hidden,
        unit_scale=scaled,
        leave=interactive,
        delay=0 if interactive else 2,
        mininterval=0.2 if interactive else 10,
        dynamic_ncols=interactive,
        smoothing=0.1,
    )
