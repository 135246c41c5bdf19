"""How an evaluation by any protocol is written, printed and entered in the ledger."""

from __future__ import annotations

from pathlib import Path

from landmarks.config import Config
from landmarks.scoring.evaluation import Scores, enter
from landmarks.scoring.protocol import protocol_named
from landmarks.store.csv_files import write_csv
from landmarks.store.files import write_json

FILES = ("metrics.json", "per_query.csv", "ablation.csv")


def record(config: Config, protocol: str, scores: Scores | None) -> Path | None:
    """Write and print the scores and add each chain's line to the ledger; returns the folder, or None where there are none.

    The scores of recognition have a folder of their own, so that retrieval's stay.
    """
    how = protocol_named(protocol)
    folder = config.run.folder / how.results_folder
    if scores is None:
        for name in FILES:  # scores of an earlier run would pass for today's
            (folder / name).unlink(missing_ok=True)
        return None
    write_csv(folder / "per_query.csv", scores.per_query)
    write_csv(folder / "ablation.csv", scores.chains)
    write_json(folder / "metrics.json", scores.results)
    how.show(scores.results)
    enter(config.ledger, scores.evaluations)
    return folder
