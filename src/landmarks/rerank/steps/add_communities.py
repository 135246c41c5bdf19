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
        from landmarks.ops.label_spread import LabelDistributions, class_axes, joint_neighbours, spread_labels
        from landmarks.rerank.vectors import space_with_labels

        space = context.space(ranking)
        near, similarities = context.nearest(space, "index", "index", max(self.neighbours, self.nearest))
        graph = mutual_graph(near[:, : self.neighbours], similarities[:, : self.neighbours], self.power)
        communities = find_communities(graph, self.resolution)
        own = LabelDistributions(communities[:, None], np.ones((len(communities), 1), np.float32))

        def shares(near: np.ndarray, similarities: np.ndarray) -> LabelDistributions:
            no_train = np.empty((len(near), 0), np.int32), np.empty((len(near), 0), np.float32)
            joint = joint_neighbours(no_train, (near, similarities), self.nearest, self.power)
            return spread_labels(*joint, np.empty(0, np.int64), own, self.kept)

        of_train = len(space.train), self.kept
        labels = {
            "index": shares(near, similarities),
            "test": shares(*context.nearest(space, "test", "index", self.nearest)),
            "train": LabelDistributions(np.full(of_train, -1, np.int32), np.zeros(of_train, np.float32)),
        }
        axes = class_axes(int(communities.max(initial=-1)) + 1, self.dimensions)
        return context.search(ranking, space_with_labels(space, context, labels, axes, self.weight))
