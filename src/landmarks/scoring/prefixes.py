"""Every prefix of the run's chain scored by its protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from landmarks.config import Chain, Config, chain_names
from landmarks.progress import progress
from landmarks.scoring.evaluation import Evaluation, Scores, choices, model_name
from landmarks.scoring.judge import Judge, require_scored
from landmarks.search.rankings import read_chain_manifests, read_cost
from landmarks.store.artefact import library_versions


def score_prefixes(config: Config, judge: Judge, run_as: Callable[[Chain], tuple[Chain, ...]]) -> Scores:
    """Every prefix of the run's chain, by the judge. run_as: the chains that a chain is run as (Protocol.chains).

    Raises UserError for a ranking that is missing or was made with other settings, and where no query is scored.
    """
    require_scored(judge, config.tables_folder)
    read_chain_manifests(config, ())
    names, made = chain_names(config.rerank), choices(config) | judge.choices
    per_query: dict[str, np.ndarray] = {}
    rows: list[dict[str, Any]] = []
    metrics: dict[str, dict[str, Any]] = {}
    evaluations: list[Evaluation] = []
    for steps, name in enumerate(progress(names, "evaluate", "chain")):
        chain = config.rerank[:steps]
        judged, seconds = judge.judge(chain), read_cost(config, run_as(chain)).total_seconds
        fingerprint = list(read_chain_manifests(config, run_as(chain)[-1]).values())[-1]["fingerprint"]
        per_query |= judge.per_query(name, judged)
        rows.append({"chain": name} | judge.tabled(judged.numbers) | {"seconds": seconds})
        metrics[name] = judged.numbers | {"seconds": seconds, "fingerprint": fingerprint}
        evaluations.append(
            Evaluation(model_name(config.models), name, judge.protocol, str(config.dataset.folder), made, judged.numbers, fingerprint)
        )
    table = pd.concat([judge.queries, pd.DataFrame(per_query, index=judge.queries.index)], axis=1)
    results = {
        "unit": "percent",
        "protocol": judge.protocol,
        "choices": made,
        "truth": judge.truth(),
        "queries": judge.counts,
        "chains": metrics,
    }
    results |= judge.more_results(table, names) | {"versions": library_versions()}
    return Scores(results, pd.DataFrame(rows), table, evaluations)
