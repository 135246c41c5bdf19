"""recognize: the training images that a query is most like -> its landmark, and a submission of the recognition challenge."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landmarks.config import Config
from landmarks.datasets.recognition import read_predictions
from landmarks.progress import say
from landmarks.protocols.recognition import Recognition
from landmarks.rerank.recognition import SUBMISSION, make_predictions, predictions_artefact
from landmarks.scoring.record import record
from landmarks.store.tables import read_tables


def recognize(config: Config) -> Path:
    """Make recognition/submission.csv (id,landmarks), read back and validated; returns its path.

    With a solution its scores lie beside it, as `evaluate` writes them under evaluate.protocol=recognition.
    Raises UserError where the chain has not been run.
    """
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    artefact = predictions_artefact(config, config.rerank, config.run.folder / "recognition", "recognize")
    if artefact.is_complete():
        say("recognize: up to date")
    else:
        make_predictions(config, config.rerank, artefact, tables.test_ids)
    path = artefact.folder / SUBMISSION
    predictions = read_predictions(path, tables.test_ids)
    say(f"recognize: {path} is valid: {len(tables.test_ids)} queries, {np.isfinite(predictions.confidences).sum()} predictions")
    record(config, "recognition", Recognition().score(config))
    return path
