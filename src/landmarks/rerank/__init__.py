"""The re-ranking steps, by the name a chain calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from landmarks.ranking import Ranking
from landmarks.rerank.add_labels import add_labels
from landmarks.rerank.augment_database import augment_database
from landmarks.rerank.classify import classify
from landmarks.rerank.context import Context
from landmarks.rerank.diffuse import diffuse
from landmarks.rerank.discriminate import discriminate
from landmarks.rerank.expand_query import expand_query
from landmarks.rerank.explore import explore
from landmarks.rerank.fuse import fuse
from landmarks.rerank.insert import insert
from landmarks.rerank.k_reciprocal import k_reciprocal
from landmarks.rerank.penalise_non_landmarks import penalise_non_landmarks
from landmarks.rerank.remove_junk import remove_junk
from landmarks.rerank.soft_labels import soft_labels
from landmarks.rerank.sort import sort
from landmarks.rerank.super_global import super_global
from landmarks.rerank.verify import verify

Step = Callable[[Ranking, Context, Any], Ranking]

STEPS: dict[str, Step] = {
    "discriminate": discriminate,
    "add_labels": add_labels,
    "augment_database": augment_database,
    "expand_query": expand_query,
    "classify": classify,
    "k_reciprocal": k_reciprocal,
    "super_global": super_global,
    "diffuse": diffuse,
    "explore": explore,
    "soft_labels": soft_labels,
    "penalise_non_landmarks": penalise_non_landmarks,
    "remove_junk": remove_junk,
    "verify": verify,
    "fuse": fuse,
    "sort": sort,
    "insert": insert,
}

SEARCHING = frozenset({"discriminate", "add_labels", "classify", "augment_database", "expand_query"})  # which make vectors anew
# Which learn from train's landmarks: without training images there is nothing that they could do.
LEARNING = frozenset({"discriminate", "add_labels", "classify", "soft_labels", "penalise_non_landmarks", "fuse", "sort", "insert"})

__all__ = ["LEARNING", "SEARCHING", "STEPS", "Context", "Step"]
