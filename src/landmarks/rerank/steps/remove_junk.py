"""Remove junk: images that the protocol of Revisited Oxford and Paris leaves out are no candidates either."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class RemoveJunk(Step):
    """Leave out what the protocol of Revisited Oxford and Paris takes out of a list (Radenovic et al., CVPR 2018)."""

    reads_junk: ClassVar[bool] = True

    difficulty: Literal["easy", "medium", "hard"] = Field("medium", description="whose junk: easy takes the hard images out as well")

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        """Raises UserError where the dataset has no junk."""
        from dataclasses import replace

        from landmarks.errors import UserError
        from landmarks.ops.removal import remove_images

        if context.junk is None:
            raise UserError(
                "the step remove_junk takes out what Revisited Oxford and Paris call junk, and this dataset has none",
                next="leave it out of the chain",
            )
        indices, scores = remove_images(ranking.indices, ranking.scores, context.junk(self.difficulty))
        return replace(ranking, indices=indices, scores=scores)
