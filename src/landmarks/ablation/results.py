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
from landmarks.scoring import average_precisions, in_percent, mean, predicted_images
from landmarks.store.rankings import read_chain_manifests
from landmarks.store.solution import Solution
from landmarks.store.tables import Tables

THRESHOLD = 1e-9  # of AP: less is rounding, not a query helped or hurt


@dataclass(frozen=True)
class Scored:
    """A chain's scores and what it costs.

    precisions                AP@100 of each of the solution's queries, (n_query,) float64 from 0 to 1
    seconds, peak_megabytes   of its last step; the megabytes of the process while it ran, None of the search
    total_seconds             with everything before it, the search included
    highest_megabytes         of its most demanding step
    """

    name: str
    precisions: np.ndarray
    seconds: float
    peak_megabytes: float | None
    total_seconds: float
    highest_megabytes: float | None


def score_chain(config: Config, chain: Chain, tables: Tables, solution: Solution) -> Scored:
    """Of a chain whose rankings are there."""
    manifests = read_chain_manifests(config, chain)
    name = chain_names(chain)[-1]
    seconds = [manifest.get("step_seconds", manifest["seconds"]) for manifest in manifests.values()]
    megabytes = [manifest["peak_megabytes"] for manifest in manifests.values() if "peak_megabytes" in manifest]
    precisions = average_precisions(predicted_images(config.run.folder / "rankings" / name, tables, solution), solution)
    last = manifests[name].get("peak_megabytes")
    return Scored(name, precisions, round(seconds[-1], 3), last, round(sum(seconds), 3), max(megabytes, default=None))


def compare(
    rows: Sequence[Comparison], scored: Callable[[Chain], Scored], usages: np.ndarray, among: np.ndarray, settings: AblateSettings
) -> pd.DataFrame:
    """A row a comparison; mAP, change and interval in percent.

    usages  (n_query,) "Public" or "Private"
    among   (n_query,) bool, the queries that count

    change is the mean over private and public queries together, change_low to change_high its 95 % interval by the paired
    bootstrap over these queries. seconds and peak_megabytes are those of the step that the row adds; where it is about a chain
    as a whole there are no seconds, and peak_megabytes is that of the most demanding step.
    """
    changes = np.zeros((int(among.sum()), len(rows)))
    for column, row in enumerate(rows):
        if row.reference is not None:
            changes[:, column] = scored(row.chain).precisions[among] - scored(row.reference).precisions[among]
    low, high = mean_interval(100 * changes, settings.samples, settings.seed)
    table = []
    for row, change, *interval in zip(rows, changes.T, low, high, strict=True):
        own = scored(row.chain)
        percent = in_percent(own.precisions)
        compared = row.reference is not None
        about_a_step = row.adds_a_step or not row.chain
        table.append(
            {
                "section": row.section,
                "row": row.label,
                "chain": own.name,
                "reference": scored(row.reference).name if compared else None,
                "against": row.against,
                "queries": len(change),
                **{f"map_{usage.lower()}": mean(percent[among & (usages == usage)]) for usage in ("Private", "Public")},
                "change": mean(100 * change) if compared else None,
                "change_low": round(float(interval[0]), 4) if compared else None,
                "change_high": round(float(interval[1]), 4) if compared else None,
                "helped": int((change > THRESHOLD).sum()) if compared else None,
                "hurt": int((change < -THRESHOLD).sum()) if compared else None,
                "seconds": own.seconds if about_a_step else None,
                "total_seconds": own.total_seconds,
                "peak_megabytes": own.peak_megabytes if about_a_step else own.highest_megabytes,
            }
        )
    return pd.DataFrame(table).astype({"helped": "Int64", "hurt": "Int64"} | dict.fromkeys(FRACTIONS, float))


FRACTIONS = ("map_private", "map_public", "change", "change_low", "change_high", "seconds", "total_seconds", "peak_megabytes")


def compare_combinations(
    chains: Sequence[Chain], swept: list[tuple[str, str]], scored: Callable[[Chain], Scored], choosing: np.ndarray
) -> tuple[pd.DataFrame, Chain]:
    """A row a combination, the best on the choosing queries first, and the best one's chain.

    chains    the configuration's own first: among equals the earlier is the better
    choosing  (n_query,) bool

    map_scoring, on the other queries, is told of the best and of the configuration's own alone: whoever saw it for all would choose by it.
    """
    on_choosing = [mean(in_percent(scored(chain).precisions[choosing])) for chain in chains]
    best = chains[int(np.argmax(on_choosing))]
    table = []
    for chain, score in zip(chains, on_choosing, strict=True):
        own, told = scored(chain), chain in (best, chains[0])
        values = dict(zip((f"{step}.{key}" for step, key in swept), swept_values(chain, swept), strict=True))
        scoring = mean(in_percent(own.precisions[~choosing])) if told else None
        table.append(values | {"map_choosing": score, "map_scoring": scoring, "total_seconds": own.total_seconds, "chain": own.name})
    frame = pd.DataFrame(table).astype({"map_scoring": float})
    return frame.sort_values("map_choosing", ascending=False, kind="stable", ignore_index=True), best
