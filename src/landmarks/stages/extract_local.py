"""extract-local: local features of the queries and of what the search returned for them, for verification."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from landmarks.config import Config
from landmarks.extraction.run import run_extraction
from landmarks.extraction.work import Work, local_work
from landmarks.store.local_features import local_model
from landmarks.store.rankings import read_ranking


def extract_local(config: Config) -> list[Path]:
    """Make local features of rankings/knn's queries and the union of their lists; returns the two folders.

    What is there already, from `extract` or an earlier search, is not made again. Raises UserError as `run_extraction` does,
    and where there is no telling whose local features are meant.
    """
    model = local_model(config)
    ranking = read_ranking(config.run.folder / "rankings" / "knn")
    found = np.unique(ranking.indices)
    wanted = {"test": ranking.query_ids, "index": ranking.index_ids[found[found >= 0]]}

    def plan(precision: str) -> Iterator[Work]:
        for split, ids in wanted.items():
            yield local_work(config, model, split, ids, precision)

    return run_extraction(config, "extract-local", plan)
