"""The re-ranking steps, by the name a chain calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from landmarks.ranking import Ranking
from landmarks.rerank.add_labels import add_labels
from landmarks.rerank.augment_database import augment_database
from landmarks.rerank.context import Context
from landmarks.rerank.discriminate import discriminate
from landmarks.rerank.expand_query import expand_query
from landmarks.rerank.insert import insert
from landmarks.rerank.sort import sort
from landmarks.rerank.verify import verify

Step = Callable[[Ranking, Context, Any], Ranking]

STEPS: dict[str, Step] = {
    "discriminate": discriminate,
    "add_labels": add_labels,
    "augment_database": augment_database,
    "expand_query": expand_query,
    "verify": verify,
    "sort": sort,
    "insert": insert,
}

__all__ = ["STEPS", "Context", "Step"]
