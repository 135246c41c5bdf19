"""Fuse: a model orders the candidates by all the evidence at hand, learned on queries made of training images."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    import numpy as np

    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context
    from landmarks.rerank.parts import Draw

UNKNOWN_SHARE = 0.3  # where it cannot be estimated
MAX_CANDIDATES = 10_000  # of a query: LightGBM's ranking objectives take no more rows


class Fuse(Step):
    """A model of all the evidence on a candidate orders the list, learned on queries made of training images.

    Some training images become pseudo-queries, others are hidden in the real index, in place of as many of their landmarks' own ones
    (rerank/pseudo_world.py). Train then lacks as large a share of the landmarks as it seems to lack of the queries' (ops/how_known.py).
    The chain so far is run, every candidate gets a row of evidence (rerank/evidence.py), and gradient-boosted trees learn to rank those
    that are hidden (XE-NDCG, Bruch 2020, by LightGBM). score = blend * trees - log(place so far), the blend cross-validated
    (rerank/fusion.py). The order stays as it is where no gain is sure.
    """

    learns: ClassVar[bool] = True
    revision: ClassVar[int] = 2

    objective: Literal["rank_xendcg", "lambdarank"] = Field("rank_xendcg", description="the model's loss, by LightGBM's name")
    trees: int = Field(100, ge=1, description="trees of the model")
    leaves: int = Field(15, ge=2, description="leaves of a tree")
    learning_rate: float = Field(0.05, gt=0, description="share of a tree's correction that is taken over")
    classifier: bool = Field(True, description="also learn a classifier in closed form, for its candidates and its evidence")
    unknown_share: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="share of the landmarks that the pseudo-train set does not know; unset: that of the queries'",
    )
    query_share: float = Field(0.2, gt=0, lt=1, description="share of a landmark's training images that become pseudo-queries")
    train_share: float = Field(0.75, gt=0, lt=1, description="share of the others that stay training images; the rest is hidden")
    queries: int = Field(3000, ge=1, description="pseudo-queries at most")
    index_images: int = Field(9_000, ge=1, description="images of the pseudo-index at most: of a larger index a part is drawn")
    seed: int = Field(0, ge=0, description="another seed, another pseudo-world")

    @property
    def training_images(self) -> int:
        return self.queries + self.index_images

    def training_rows(self, context: Context, before: tuple[Step, ...], neighbours: int) -> np.ndarray:
        """None where train is too small to learn from: the order then stays as it is."""
        from landmarks.rerank.parts import split_training, too_few_landmarks
        from landmarks.rerank.pseudo_world import images_to_verify

        parts = split_training(context.labels, None, self.draw_of_train_alone)
        if too_few_landmarks(context.labels, [parts], self.index_images):
            return parts.test[:0]
        return images_to_verify(context, before, parts, neighbours)

    def draw(self, unknown: float = UNKNOWN_SHARE) -> Draw:
        """unknown: the share where `unknown_share` is unset."""
        from landmarks.rerank.parts import Draw

        share = unknown if self.unknown_share is None else self.unknown_share
        return Draw(share, self.query_share, self.train_share, self.queries, self.index_images, self.seed)

    @property
    def draw_of_train_alone(self) -> Draw:
        """Half stays training images at most: the rest is all that the pseudo-index has."""
        from dataclasses import replace

        return replace(self.draw(), train_share=min(self.train_share, 0.5))

    def require_place(self, before: tuple[Step, ...], neighbours: int) -> None:
        lists = 1 + any(step.searches for step in before) + self.classifier  # the list so far, the first search's, the classifier's
        if lists * neighbours > MAX_CANDIDATES:
            raise ValueError(
                f"the step fuse ranks the candidates of {lists} lists of {neighbours} images for a query, and LightGBM takes at most "
                f"{MAX_CANDIDATES:,}: search.neighbours={MAX_CANDIDATES // lists} or less"
            )

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        """Attaches model.txt, fusion.json and importances.csv to the ranking where the order changes."""
        from landmarks.rerank.fusion import fuse

        return fuse(ranking, context, self)
