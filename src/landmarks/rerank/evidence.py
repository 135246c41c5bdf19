"""The evidence on each candidate of a query, in every space at hand: the table that a ranker learns from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from landmarks.config.chain import verified_images
from landmarks.ops.fusion_features import (
    below_best,
    common_neighbours,
    label_agreements,
    pair_similarities,
    reciprocal_places,
    similarities_to_first,
    standard_scores,
)
from landmarks.ops.label_spread import LabelDistributions
from landmarks.ops.ordering import union_of_lists
from landmarks.ranking import Ranking
from landmarks.rerank.classifier import closed_form_classifier, space_with_classifier
from landmarks.rerank.context import Context
from landmarks.rerank.steps.add_labels import AddLabels
from landmarks.rerank.vectors import label_distributions

NEAREST = 20  # index images that make the neighbourhood of a query, or of an index image
FIRST = 10  # images of a list that represent what the query shows
VOTERS = 3  # nearest training images that vote for a label
KEPT, LABEL_DIMENSIONS = 16, 512  # labels of the classifier for an image, and their part of a vector, as of the step classify
CLASSIFIER_WEIGHTS = (1.0, 2.0)  # of its projection and of its labels


class Evidence:
    """One column a kind of evidence and space it is seen from; each space's neighbourhoods and labels are found once.

    candidates  (n_query, n) int32: the ranking's lists, then what the first search and the classifier's found beyond, -1 = none
    names       what the columns are called

    Inliers are among it where the step before verified the first images of the lists.
    """

    def __init__(self, ranking: Ranking, context: Context, classifier: bool):
        first = replace(ranking, space=None)
        found, similarities = context.nearest(context.base, "test", "index", ranking.indices.shape[1])
        rankings = {"": ranking}
        if context.space(ranking) is not context.base:
            rankings[" in the first search"] = replace(first, indices=found, scores=similarities)
        if classifier:
            learned = closed_form_classifier(context, KEPT)
            space = space_with_classifier(context.base, context, learned, LABEL_DIMENSIONS, CLASSIFIER_WEIGHTS)
            rankings[" to the classifier"] = context.search(first, space)
        self._listed, self._count_inliers = ranking.indices, context.inliers
        self._verified = verified_images(context.chain[-1:])
        self.candidates = union_of_lists([each.indices for each in rankings.values()])
        self._views = {name: _View(each, context) for name, each in rankings.items()}
        self.names = list(self._columns(np.arange(0), np.empty((0, 1), np.int32)))

    def table(self, queries: np.ndarray) -> np.ndarray:
        """The table (candidates of these queries, columns) float32, NaN = unknown; query after query, in the order of `candidates`."""
        indices = self.candidates[queries]
        columns = self._columns(queries, indices).values()
        return np.stack([np.broadcast_to(column, indices.shape)[indices >= 0] for column in columns], axis=1).astype(np.float32)

    def _columns(self, queries: np.ndarray, indices: np.ndarray) -> dict[str, np.ndarray]:
        columns = {"reciprocal rank": self._reciprocal_rank(queries, indices)}
        if self._verified:
            inliers = self._inliers(queries, indices)
            columns |= {"inliers": inliers, "inliers below the most": below_best(inliers)}
        for seen, view in self._views.items():
            columns |= {kind + seen: values for kind, values in view.columns(queries, indices).items()}
        return columns

    def _inliers(self, queries: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """Of the images that were verified, NaN for all others."""
        inliers = np.full(indices.shape, np.nan)
        rows, places = np.nonzero(self._listed[queries, : self._verified] >= 0)
        inliers[rows, places] = self._count_inliers("test", "index", queries[rows], indices[rows, places])
        return inliers

    def _reciprocal_rank(self, queries: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """1 / place in the ranking's list, which the candidates begin with; 0 behind its end."""
        length = (self._listed[queries] >= 0).sum(axis=1, keepdims=True)
        places = np.arange(1, indices.shape[1] + 1)
        return np.where(places <= length, 1 / places, 0)


class _View:
    """A pair of images as one space sees it."""

    def __init__(self, ranking: Ranking, context: Context):
        space = context.space(ranking)
        self._space = space
        self._of_queries, _ = context.nearest(space, "test", "index", NEAREST)
        self._of_images, self._image_similarities = context.nearest(space, "index", "index", NEAREST)
        near = np.ma.masked_invalid(self._image_similarities[:, :FIRST])
        self._density = near.mean(axis=1).filled(np.nan)
        labels = label_distributions(space, context, AddLabels())
        self._query_labels, self._image_labels = labels["test"], labels["index"]
        self._query_votes, self._image_votes = context.votes(ranking, VOTERS)

    def columns(self, queries: np.ndarray, indices: np.ndarray) -> dict[str, np.ndarray]:
        """(q, n), or (q, 1) for what is the query's alone."""
        similarities = pair_similarities(self._space.test[queries], self._space.index, indices)
        labels, votes = LabelDistributions(*(part[queries] for part in self._query_labels)), self._query_votes.rows(queries)
        agreements = label_agreements(labels, self._image_labels, indices)
        voted = self._image_votes.labels[indices]
        return {
            "similarity": similarities,
            "similarity below the best": below_best(similarities),
            "similarity in standard deviations": standard_scores(similarities),
            "similarity to the first images": similarities_to_first(self._space.index, indices, FIRST),
            "common neighbours": common_neighbours(self._of_queries[queries], self._of_images, indices),
            "reciprocal place": reciprocal_places(similarities, self._image_similarities, indices),
            "density around the image": self._density[indices],
            "label agreement": agreements,
            "label agreement in standard deviations": standard_scores(agreements),
            "labels known of the query": labels.shares.sum(axis=1)[:, None],
            "labels known of the image": self._image_labels.shares.sum(axis=1)[indices],
            "same vote": np.where((voted < 0) | (votes.labels[:, None] < 0), np.nan, voted == votes.labels[:, None]),
            "vote for the query": votes.scores[:, None],
            "vote for the image": self._image_votes.scores[indices],
        }
