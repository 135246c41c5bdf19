"""The protocols by which rankings are scored, by the name a configuration calls them."""

from __future__ import annotations

from collections.abc import Callable

from landmarks.config import Config
from landmarks.progress import say
from landmarks.protocols.evaluation import Evaluation, Scores
from landmarks.protocols.judge import Judge, Judged
from landmarks.protocols.places import PlacesJudge
from landmarks.protocols.recognition import score_recognition
from landmarks.protocols.record import record
from landmarks.protocols.retrieval import open_retrieval
from landmarks.protocols.revisited import RevisitedJudge
from landmarks.protocols.score import score_prefixes

# None where the dataset has no ground truth. Recognition has no judge: its numbers are not means over queries.
JUDGES: dict[str, Callable[[Config], Judge | None]] = {
    "retrieval": open_retrieval,
    "revisited": RevisitedJudge,
    "places": PlacesJudge,
}


def score(config: Config, protocol: str) -> Scores | None:
    """Every prefix of the run's chain under a protocol, of recognition its predictions; None where there is no ground truth.

    Raises UserError for a ranking that is missing.
    """
    if protocol == "recognition":
        return score_recognition(config)
    judge = JUDGES[protocol](config)
    if judge is None:
        say(f"evaluate: no retrieval_solution*.csv in {config.tables_folder}, so there is nothing to score against")
        return None
    return score_prefixes(config, judge)


__all__ = ["JUDGES", "Evaluation", "Judge", "Judged", "Scores", "record", "score"]
