"""What is written and said of an evaluation, whatever the protocol."""

from __future__ import annotations

from pathlib import Path

from landmarks.config import Config
from landmarks.protocols.evaluation import Scores, enter
from landmarks.store.files import write_json
from landmarks.store.tables import write_csv
from landmarks.summary import print_protocol, print_scores

FILES = ("metrics.json", "per_query.csv", "ablation.csv")


def results_folder(config: Config, protocol: str) -> Path:
    """Where the scores of a protocol lie; those of recognition beside its submission, so that retrieval's stay."""
    return config.run.folder / "recognition" if protocol == "recognition" else config.run.folder


def record(config: Config, protocol: str, scores: Scores | None) -> Path | None:
    """Write and print the scores and add each chain's line to the ledger; returns the folder, or None where there are none."""
    folder = results_folder(config, protocol)
    if scores is None:
        for name in FILES:  # scores of an earlier run would pass for today's
            (folder / name).unlink(missing_ok=True)
        return None
    write_csv(folder / "per_query.csv", scores.per_query)
    write_csv(folder / "ablation.csv", scores.chains)
    write_json(folder / "metrics.json", scores.results)
    if protocol == "retrieval":
        print_scores(scores.results)
    else:
        print_protocol(scores.results)
    enter(config, scores.evaluations)
    return folder
