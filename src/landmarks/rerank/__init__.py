"""The re-ranking steps, by the name a chain calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from landmarks.ranking import Ranking
from landmarks.rerank.context import Context
from landmarks.rerank.insert import insert
from landmarks.rerank.sort import sort

Step = Callable[[Ranking, Context, Any], Ranking]

STEPS: dict[str, Step] = {"sort": sort, "insert": insert}

__all__ = ["STEPS", "Context", "Step"]
