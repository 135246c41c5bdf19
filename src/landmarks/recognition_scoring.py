"""What predicted landmarks earn against the recognition solution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from landmarks.metrics.recognition import correct_predictions, micro_average_precision
from landmarks.scoring import in_percent, mean
from landmarks.store.recognition import Predictions, RecognitionSolution


def score_recognition(predictions: Predictions, solution: RecognitionSolution) -> dict[str, dict[str, Any]]:
    """For "private" and "public": queries, distractors among them, and in percent, None where no query has a landmark:

    gap, gap_without_distractors  micro average precision
    accuracy                      of the queries with a landmark, how many are right, however sure
    """
    scores = {}
    for usage in ("Private", "Public"):
        part = solution.of_usage(usage)
        chosen = predictions.of(part.query_ids)
        case = chosen.landmark_ids, chosen.confidences, part.landmarks, part.starts
        answerable = np.diff(part.starts) > 0
        gaps = {"gap": micro_average_precision(*case), "gap_without_distractors": micro_average_precision(*case, distractors=False)}
        scores[usage.lower()] = {
            "queries": len(part.query_ids),
            "distractors": int((~answerable).sum()),
            **{name: None if np.isnan(gap) else round(100 * gap, 4) for name, gap in gaps.items()},
            "accuracy": mean(in_percent(correct_predictions(*case)[answerable])),
        }
    return scores


def recognition_table(predictions: Predictions, solution: RecognitionSolution) -> pd.DataFrame:
    """A row a query, the surest first: id, usage, landmarks, predicted, confidence, correct; the last three empty without a prediction."""
    chosen = predictions.of(solution.query_ids)
    some = chosen.confidences > -np.inf
    correct = correct_predictions(chosen.landmark_ids, chosen.confidences, solution.landmarks, solution.starts)
    shown = [" ".join(map(str, solution.landmarks[start:end])) for start, end in zip(solution.starts, solution.starts[1:], strict=False)]
    columns = {"id": solution.query_ids, "usage": solution.usages, "landmarks": shown}
    columns |= {
        "predicted": np.where(some, chosen.landmark_ids.astype(object), ""),
        "confidence": chosen.confidences,
        "correct": np.where(some, correct.astype(int).astype(object), ""),
    }
    table = pd.DataFrame(columns).replace({"confidence": {-np.inf: np.nan}})
    return table.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)
