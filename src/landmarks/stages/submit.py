"""submit: the last ranking -> submission.csv, read back and validated."""

from __future__ import annotations

from pathlib import Path

from landmarks.config import Config
from landmarks.datasets.submission import read_submission, write_submission
from landmarks.progress import say
from landmarks.search.rankings import read_chain_ranking
from landmarks.store.tables import read_tables


def submit(config: Config) -> Path:
    """Write run.folder/submission.csv from the whole chain's ranking and validate it as a stranger's would be."""
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    ranking = read_chain_ranking(config, config.rerank)
    path = config.run.folder / "submission.csv"
    write_submission(path, tables.test_ids, ranking)
    lists = read_submission(path, tables.test_ids, tables.index_ids)
    say(f"submit: {path} is valid: {len(lists.ids)} queries, {len(lists.numbers)} images")
    return path
