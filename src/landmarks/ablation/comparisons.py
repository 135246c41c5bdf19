"""Which chains an ablation compares, and each with which other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from landmarks.config import Chain, step_name

CHAIN, LEFT_OUT = "the chain", "one step left out"


@dataclass(frozen=True)
class Comparison:
    """A chain and the one that it is compared with.

    section    its heading: the configuration's chain, that chain with one step left out, or a named chain
    label      knn; "+ step", what the step adds to the row above; "- step", the chain without it; "= all steps", a chain as a whole
    reference  the chain it is compared with; None for knn, with which everything begins
    against    the reference in a word
    """

    section: str
    label: str
    chain: Chain
    reference: Chain | None
    against: str

    @property
    def adds_a_step(self) -> bool:
        """Whether the row is about the chain's last step alone."""
        return self.reference == self.chain[:-1] and bool(self.chain)


def comparisons(chain: Chain, leave_one_out: bool, others: Mapping[str, Chain]) -> list[Comparison]:
    """knn, then `chain` with its prefixes and, where asked for, without each of its steps; then the named other chains."""
    rows = [Comparison(CHAIN, "knn", (), None, ""), *_prefixes(CHAIN, chain)]
    if leave_one_out:
        rows += _left_out(chain)
    for name, other in others.items():
        rows += _prefixes(name, other)
    return rows


def _prefixes(section: str, chain: Chain) -> list[Comparison]:
    rows = [
        Comparison(section, f"+ {step_name(step)}", chain[: n + 1], chain[:n], "row above" if n else "knn") for n, step in enumerate(chain)
    ]
    if len(chain) > 1:
        rows.append(Comparison(section, "= all steps", chain, (), "knn"))
    return rows


def _left_out(chain: Chain) -> list[Comparison]:
    names = [step_name(step) for step in chain]
    return [
        Comparison(
            LEFT_OUT,
            f"- {name}" + (f" (step {n + 1})" if names.count(name) > 1 else ""),
            chain[:n] + chain[n + 1 :],
            chain,
            "all steps",
        )
        for n, name in enumerate(names)
    ]
