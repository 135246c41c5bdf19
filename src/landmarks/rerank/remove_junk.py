"""Remove junk: images that the protocol of Revisited Oxford and Paris leaves out are no candidates either."""

from __future__ import annotations

from dataclasses import replace

from landmarks.config import RemoveJunkSettings
from landmarks.errors import UserError
from landmarks.ops.removal import remove_images
from landmarks.ranking import Ranking
from landmarks.rerank.context import Context


def remove_junk(ranking: Ranking, context: Context, settings: RemoveJunkSettings) -> Ranking:
    if context.junk is None:
        raise UserError(
            "the step remove_junk takes out what Revisited Oxford and Paris call junk, and this dataset has none",
            next="leave it out of the chain",
        )
    indices, scores = remove_images(ranking.indices, ranking.scores, context.junk(settings.difficulty))
    return replace(ranking, indices=indices, scores=scores)
