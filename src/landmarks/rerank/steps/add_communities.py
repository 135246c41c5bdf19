"""Add communities: search with the groups that index images form among themselves as a part of every vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from landmarks.config.base import MAX_WIDTH
from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class AddCommunities(Step):
    """Search again with shares of the index's communities in the vectors: labels for landmarks that train does not know.

    score(q, i) = cos(q, i) + weight * <c(q), c(i)>, where c(x) = sum over the nearest index images n of x of cos(x, n)^power *
    [n's community], normalised; the communities are those of the graph of mutual nearest neighbours (Blondel et al., 2008;
    ops/communities.py). Training images have no share of any. Source: ours; label propagation with found instead of given labels.
    """

    searches: ClassVar[bool] = True

    neighbours: int = Field(20, ge=1, description="nearest images that an index image has edges to, where the edge is mutual")
    power: float = Field(3.0, ge=0, description="an edge's weight, and a neighbour's, is the similarity to this power")
    resolution: float = Field(30.0, gt=0, description="the larger, the smaller the communities")
    nearest: int = Field(10, ge=1, description="nearest index images that an image's shares come from")
    weight: float = Field(0.3, gt=0, description="of the shares' inner product beside the similarity")
    kept: int = Field(10, ge=1, description="communities kept for an image, those with the largest shares")
    dimensions: int = Field(512, ge=1, le=MAX_WIDTH, description="of the shares' part of a vector; more communities than this are sketched")

    def vector_width(self, searched: int, described: int) -> int:
        return searched + self.dimensions

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        import numpy as np

        from landmarks.ops.communities import find_communities, mutual_graph
        from landmarks.ops.label_spread import LabelDistributions, class_axes, no_labels, spread_from_index
        from landmarks.rerank.vectors import space_with_labels

        space = context.space(ranking)
        near, similarities = context.nearest(space, "index", "index", max(self.neighbours, self.nearest))
        graph = mutual_graph(near[:, : self.neighbours], similarities[:, : self.neighbours], self.power)
        communities = find_communities(graph, self.resolution)
        own = LabelDistributions(communities[:, None], np.ones((len(communities), 1), np.float32))
        found = {"index": (near, similarities), "test": context.nearest(space, "test", "index", self.nearest)}
        labels = {split: spread_from_index(near, own, self.nearest, self.power, self.kept) for split, near in found.items()}
        labels["train"] = no_labels(len(space.train))
        axes = class_axes(int(communities.max(initial=-1)) + 1, self.dimensions)
        return context.search(ranking, space_with_labels(space, context, labels, axes, self.weight))
