"""What came of each chain, as tables of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from landmarks.ablation.comparisons import Comparison
from landmarks.ablation.sweep import swept_values
from landmarks.config import AblateSettings, Chain, Config, chain_names
from landmarks.metrics.bootstrap import mean_interval
from landmarks.scoring.evaluation import in_percent, mean
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


def compare(rows: Sequence[Comparison], scored: Callable[[Chain], Scored], among: np.ndarray, settings: AblateSettings) -> pd.DataFrame:
    """A row a comparison; the protocol's measures, change and interval in percent.

    among  (n_query,) bool, the queries that count; those without a decisive score never do

    change is the mean of the decisive score, change_low to change_high its 95 % interval by the paired
    bootstrap over these queries. seconds and peak_megabytes are those of the step that the row adds; where it is about a chain
    as a whole there are no seconds, and peak_megabytes is that of the most demanding step.
    """
    among = among & ~np.isnan(scored(rows[0].chain).judged.decisive)
    changes = np.zeros((int(among.sum()), len(rows)))
    for column, row in enumerate(rows):
        if row.reference is not None:
            changes[:, column] = scored(row.chain).judged.decisive[among] - scored(row.reference).judged.decisive[among]
    low, high = mean_interval(100 * changes, settings.samples, settings.seed)
    table = []
    for row, change, *interval in zip(rows, changes.T, low, high, strict=True):
        own = scored(row.chain)
        reference = None if row.reference is None else scored(row.reference)
        compared = reference is not None
        about_a_step = row.adds_a_step or not row.chain
        numbers = {name: _mean_of(values[among]) for name, values in own.judged.measures.items()}
        changed = {
            "change": mean(100 * change) if compared else None,
            "change_low": round(float(interval[0]), 4) if compared else None,
            "change_high": round(float(interval[1]), 4) if compared else None,
        }
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
                "queries": len(change),
                **numbers,
                **changed,
                "helped": int((change > THRESHOLD).sum()) if compared else None,
                "hurt": int((change < -THRESHOLD).sum()) if compared else None,
                **costs,
            }
        )
    return pd.DataFrame(table).astype({"helped": "Int64", "hurt": "Int64"} | dict.fromkeys([*numbers, *changed, *costs], float))


def _mean_of(shares: np.ndarray) -> float | None:
    """In percent, of those that are there."""
    return mean(in_percent(shares[~np.isnan(shares)]))


def compare_combinations(
    chains: Sequence[Chain], swept: list[tuple[str, str]], scored: Callable[[Chain], Scored], choosing: np.ndarray
) -> tuple[pd.DataFrame, Chain]:
    """A row a combination, the best on the choosing queries first, and the best one's chain.

    chains    the configuration's own first: among equals the earlier is the better
    choosing  (n_query,) bool

    choosing and scoring are means of the decisive score, in percent. scoring, on the other queries, is shown for the best and the
    configuration's own alone: shown for all, it would be used to choose.
    """
    on_choosing = [_mean_of(scored(chain).judged.decisive[choosing]) for chain in chains]
    best = chains[int(np.argmax([-1 if score is None else score for score in on_choosing]))]
    table = []
    for chain, score in zip(chains, on_choosing, strict=True):
        own, is_shown = scored(chain), chain in (best, chains[0])
        values = dict(zip((f"{step}.{key}" for step, key in swept), swept_values(chain, swept), strict=True))
        scoring = _mean_of(own.judged.decisive[~choosing]) if is_shown else None
        table.append(values | {"choosing": score, "scoring": scoring, "total_seconds": own.cost.total_seconds, "chain": own.name})
    frame = pd.DataFrame(table).astype({"scoring": float})
    return frame.sort_values("choosing", ascending=False, kind="stable", ignore_index=True), best
