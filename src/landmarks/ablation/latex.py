"""The tables of an ablation in LaTeX, to be put into a paper."""

from __future__ import annotations

from collections.abc import Sequence

from landmarks.ablation.words import COLUMNS

_SHOWN = ("change", "95 % interval", "seconds", "in all")  # of COLUMNS: what a paper has room for
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def comparisons_as_latex(sections: dict[str, list[list[str]]], headings: Sequence[str], caption: str) -> str:
    """A table environment that needs the package booktabs alone.

    sections  as of ablation.words.comparison_cells; a heading over each where there are several
    headings  those of the protocol's measures
    """
    kept = [1 + place for place in range(len(headings))]
    kept += [1 + len(headings) + COLUMNS.index(name) for name in _SHOWN]
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{escaped(caption)}}}", rf"\begin{{tabular}}{{l{'r' * len(kept)}}}", r"\toprule"]
    lines += [_row(["", *headings, *_SHOWN]), r"\midrule"]
    for number, (section, rows) in enumerate(sections.items()):
        if len(sections) > 1:
            lines += [r"\addlinespace"] * (number > 0)
            lines.append(rf"\multicolumn{{{1 + len(kept)}}}{{l}}{{\emph{{{escaped(section)}}}}} \\")
        lines += [_row([row[0], *(_signed(row[place]) for place in kept)], is_escaped=True) for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def escaped(text: str) -> str:
    """The text with LaTeX's special characters as they are printed."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def _signed(number: str) -> str:
    """Numbers with a sign in mathematics: a minus, not a hyphen."""
    return " to ".join(f"${part}$" if part[:1] in ("+", "-") and part[1:] else escaped(part) for part in number.split(" to "))


def _row(cells: Sequence[str], is_escaped: bool = False) -> str:
    first = escaped(cells[0])
    return " & ".join([first, *(cells[1:] if is_escaped else map(escaped, cells[1:]))]) + r" \\"
