"""What came of each chain, as tables of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from landmarks.ablation.comparisons import Comparison
from landmarks.ablation.sweep import swept_values
from landmarks.config import AblateSettings, Chain, Config, chain_names
from landmarks.scoring.judge import Judge, Judged
from landmarks.search.rankings import Cost, read_cost

THRESHOLD = 1e-9  # of a query's score: less is rounding, not a query helped or hurt


@dataclass(frozen=True)
class Scored:
    """A chain's name, how it was judged and what it cost."""

    name: str
    judged: Judged
    cost: Cost


def score_chain(config: Config, chain: Chain, judge: Judge, run_as: tuple[Chain, ...]) -> Scored:
    """Of a chain whose rankings are there. run_as: the chains that the protocol runs it as."""
    return Scored(chain_names(chain)[-1], judge.judge(chain), read_cost(config, run_as))


def compare(
    rows: Sequence[Comparison], scored: Callable[[Chain], Scored], judge: Judge, among: np.ndarray, settings: AblateSettings
) -> pd.DataFrame:
    """A row a comparison; the protocol's measures, change and interval in percent.

    among  (n_query,) bool, the queries that count; those without a decisive score never do

    change is that of the score that chains are compared by, change_low to change_high its 95 % interval by the paired
    bootstrap over these queries (Judge.changes). seconds and peak_megabytes are those of the step that the row adds; where it is
    about a chain as a whole there are no seconds, and peak_megabytes is that of the most demanding step.
    """
    among = among & ~np.isnan(scored(rows[0].chain).judged.decisive)
    pairs = [(scored(row.chain).judged, scored(row.reference).judged) for row in rows if row.reference is not None]
    changes = iter(judge.changes(pairs, among, settings.samples, settings.seed).T.tolist())
    table = []
    for row in rows:
        own = scored(row.chain)
        reference = None if row.reference is None else scored(row.reference)
        compared = reference is not None
        about_a_step = row.adds_a_step or not row.chain
        numbers = judge.means(own.judged, among)
        change = next(changes) if compared else [None] * 3
        changed = {
            name: None if value is None else round(value, 4)
            for name, value in zip(("change", "change_low", "change_high"), change, strict=True)
        }
        gains = own.judged.decisive[among] - reference.judged.decisive[among] if reference is not None else np.zeros(0)
        costs = {
            "seconds": own.cost.seconds if about_a_step else None,
            "total_seconds": own.cost.total_seconds,
            "peak_megabytes": own.cost.peak_megabytes if about_a_step else own.cost.highest_megabytes,
        }
        table.append(
            {
                "section": row.section,
                "row": row.label,
                "chain": own.name,
                "reference": reference.name if reference is not None else None,
                "against": row.against,
                "queries": int(among.sum()),
                **numbers,
                **changed,
                "helped": int((gains > THRESHOLD).sum()) if compared else None,
                "hurt": int((gains < -THRESHOLD).sum()) if compared else None,
                **costs,
            }
        )
    return pd.DataFrame(table).astype({"helped": "Int64", "hurt": "Int64"} | dict.fromkeys([*numbers, *changed, *costs], float))


def compare_combinations(
    chains: Sequence[Chain], swept: list[tuple[str, str]], scored: Callable[[Chain], Scored], judge: Judge, choosing: np.ndarray
) -> tuple[pd.DataFrame, Chain]:
    """A row a combination, the best on the choosing queries first, and the best one's chain.

    chains    the configuration's own first: among equals the earlier is the better
    choosing  (n_query,) bool

    choosing and scoring are what chains are compared by, in percent. scoring, on the other queries, is shown for the best and the
    configuration's own alone: shown for all, it would be used to choose.
    """
    on_choosing = [judge.score(scored(chain).judged, choosing) for chain in chains]
    best = chains[int(np.argmax([-1 if score is None else score for score in on_choosing]))]
    table = []
    for chain, score in zip(chains, on_choosing, strict=True):
        own, is_shown = scored(chain), chain in (best, chains[0])
        values = dict(zip((f"{step}.{key}" for step, key in swept), swept_values(chain, swept), strict=True))
        scoring = judge.score(own.judged, ~choosing) if is_shown else None
        table.append(values | {"choosing": score, "scoring": scoring, "total_seconds": own.cost.total_seconds, "chain": own.name})
    frame = pd.DataFrame(table).astype({"scoring": float})
    return frame.sort_values("choosing", ascending=False, kind="stable", ignore_index=True), best
