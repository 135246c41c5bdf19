"""Auto: the steps that pay on this dataset, chosen on training images, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context
    from landmarks.rerank.parts import Draw


class Auto(Step):
    """The default chain without the steps that lose here: discriminate, add_labels, the averages, add_classes, diffuse.

    Some training images become pseudo-queries, others are hidden in the index (rerank/pseudo_world.py); a step is dropped where the 95 %
    interval of its change in mAP on the pseudo-queries lies below zero (rerank/choice.py). diffuse is tried where a landmark has many
    index images. Without training images it is expand_query and add_communities, for places none. With evaluate.protocol=recognition
    it is discriminate, add_labels, expand_query and add_classes, by their change in GAP (rerank/choice_recognition.py). In `rerank` the
    chosen steps take its place before anything is re-ranked: <run>/choice, or <run>/recognition_choice, holds chain.yaml, to be pasted
    into a configuration, and choice.csv.
    """

    searches: ClassVar[bool] = True
    chooses: ClassVar[bool] = True
    revision: ClassVar[int] = 4

    unknown_share: float = Field(0.3, ge=0, lt=1, description="share of the landmarks that the pseudo-train set does not know")
    queries: int = Field(3000, ge=1, description="pseudo-queries of each of the three pseudo-worlds at most")
    index_images: int = Field(4500, ge=1, description="images of each pseudo-index at most: of a larger index a part is drawn")
    seed: int = Field(0, ge=0, description="another seed, other pseudo-queries")

    @property
    def draw(self) -> Draw:
        """Most training images stay in train: the nearer it is to its real depth, the nearer the gains are to the real ones."""
        from landmarks.rerank.parts import Draw

        return Draw(self.unknown_share, 0.2, 0.8, self.queries, self.index_images, self.seed)

    def vector_width(self, searched: int, described: int) -> int:
        from landmarks.rerank.choice import WHERE_DEEP, WITH_TRAIN

        for step in (*WITH_TRAIN, *WHERE_DEEP):
            searched = step.vector_width(searched, described) if step.searches else searched
        return searched

    def require_place(self, before: tuple[Step, ...], neighbours: int) -> None:
        if any(step.verified_images for step in before):
            raise ValueError("the step auto works in front of steps that verify: it knows no inliers of training images")
        if any(isinstance(step, Auto) for step in before):
            raise ValueError("the step auto is there twice")

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        """Choose and run the chosen steps; attaches chain.yaml, choice.csv and what the steps attach.

        For chains in memory (`rerank_arrays`): in a run's chain the stages find the chosen steps in the place of this one
        (rerank/resolve.py).
        """
        from landmarks.rerank.choice import choose
        from landmarks.rerank.verdict import as_table, as_yaml, chosen, report

        verdicts = choose(context, self.draw, ranking.indices.shape[1])
        report(verdicts, "mAP")
        context.pseudo_worlds.clear()  # those of the choice: no step works in them
        chain = chosen(verdicts)
        context.attach("choice.csv", as_table(verdicts).to_csv(index=False))
        context.attach("chain.yaml", as_yaml(chain))
        for place, step in enumerate(chain):
            inner = context.after((*context.chain, *chain[:place]))
            ranking = step.apply(ranking, inner)
            context.attachments.update(inner.attachments)
        return ranking
