"""Diffuse: similarity handed on from candidate to candidate."""

from __future__ import annotations

from dataclasses import replace

from landmarks.config import DiffuseSettings
from landmarks.ops.diffusion import diffusion
from landmarks.ranking import Ranking
from landmarks.rerank.context import Context


def diffuse(ranking: Ranking, context: Context, settings: DiffuseSettings) -> Ranking:
    near = context.nearest(context.space(ranking), "index", "index", settings.neighbours)
    indices, scores = diffusion(*context.nearest_first(ranking), *near, settings.seeds, settings.power, settings.alpha)
    return replace(ranking, indices=indices, scores=scores)
