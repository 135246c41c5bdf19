"""evaluate: rankings + ground truth -> the score of every prefix of the chain, or of any submission file."""

from __future__ import annotations

from pathlib import Path

from landmarks.config import Config
from landmarks.scoring.protocol import protocol_named
from landmarks.scoring.record import record


def evaluate(config: Config) -> Path | None:
    """Write metrics.json, per_query.csv and ablation.csv to run.folder (of recognition, to recognition/).

    Returns the folder, or None without a ground truth. Every chain's evaluation has a line in the ledger (run.ledger). With
    evaluate.submission only that file is validated and scored, and nothing is written.
    """
    protocol = protocol_named(config.protocol)
    if config.evaluate.submission is not None:
        protocol.score_file(config, config.evaluate.submission)
        return None
    return record(config, config.protocol, protocol.score(config))
