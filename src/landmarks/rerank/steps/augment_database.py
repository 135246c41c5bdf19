"""Augment database: index images are pulled towards their neighbours before the search."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class AugmentDatabase(Step):
    """Search again among index images that are pulled towards their neighbours (Arandjelovic and Zisserman, CVPR 2012).

    i' = i + sum over the nearest index images n of max(cos(i, n), 0)^power * n, of length one (ops/expansion.py). Where `mutual`, a
    neighbour counts only if the image is among its nearest in turn (Qin et al., CVPR 2011): a landmark of few images then takes in
    fewer of other landmarks.
    """

    searches: ClassVar[bool] = True
    changes: ClassVar[tuple[str, ...]] = ("index",)
    revision: ClassVar[int] = 2  # its vectors are searched as they are stored, float16

    neighbours: int = Field(10, ge=1, description="nearest index images that an index image is averaged with")
    power: float = Field(2.0, ge=0, description="a neighbour's weight is its similarity to this power")
    mutual: bool = Field(False, description="only neighbours that have the image among their own nearest")

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        from dataclasses import replace

        import numpy as np

        from landmarks.ops.expansion import expand
        from landmarks.ops.half import to_float16
        from landmarks.ops.knn_graph import mutual_only
        from landmarks.ops.rows import BLOCK

        space = context.space(ranking)
        near, similarities = context.nearest(space, "index", "index", self.neighbours)
        near = mutual_only(near) if self.mutual else near
        index = context.empty(*space.index.shape)
        for start in range(0, len(index), BLOCK):
            part = slice(start, min(start + BLOCK, len(index)))
            itself = np.arange(part.start, part.stop)
            to_float16(expand(space.index[part], space.index, near[part], similarities[part], self.power, itself), index[part])
        return context.search(ranking, replace(space, index=index))
