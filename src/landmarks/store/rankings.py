"""Rankings on disk: four arrays in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.ranking import Ranking
from landmarks.store.files import read_array, write_array
from landmarks.store.tables import read_ids, write_csv


def write_ranking(folder: Path, ranking: Ranking) -> None:
    """Write query_ids.csv, index_ids.csv, indices.npy (n_query, k) int32 and scores.npy (n_query, k) float32."""
    write_csv(folder / "query_ids.csv", pd.DataFrame({"id": ranking.query_ids}))
    write_csv(folder / "index_ids.csv", pd.DataFrame({"id": ranking.index_ids}))
    write_array(folder / "indices.npy", ranking.indices)
    write_array(folder / "scores.npy", ranking.scores)


def read_ranking(folder: Path) -> Ranking:
    return Ranking(
        read_ids(folder / "query_ids.csv"),
        read_ids(folder / "index_ids.csv"),
        np.ascontiguousarray(read_array(folder / "indices.npy")),
        read_array(folder / "scores.npy"),
    )
