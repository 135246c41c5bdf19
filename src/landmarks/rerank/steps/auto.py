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
    """Choose a chain and run it: discriminate and add_labels, then augment_database, expand_query, diffuse and fuse where they pay.

    Some training images become pseudo-queries, others are hidden in the index (rerank/pseudo_world.py); a step is kept where the 95 %
    interval of its gain in mAP on the pseudo-queries lies above zero (rerank/choice.py). Without training images it is expand_query
    alone. What was chosen is printed and kept beside the ranking: chain.yaml, to be pasted into a configuration, and choice.csv.
    """

    searches: ClassVar[bool] = True

    unknown_share: float = Field(0.3, ge=0, lt=1, description="share of the landmarks that the pseudo-train set does not know")
    queries: int = Field(3000, ge=1, description="pseudo-queries at most")
    index_images: int = Field(9000, ge=1, description="images of the pseudo-index at most: of a larger index a part is drawn")
    seed: int = Field(0, ge=0, description="another seed, other pseudo-queries")

    @property
    def draw(self) -> Draw:
        """As of the step fuse, which then learns in the same pseudo-world."""
        from landmarks.rerank.steps.fuse import Fuse

        return Fuse(unknown_share=self.unknown_share, queries=self.queries, index_images=self.index_images, seed=self.seed).draw

    def vector_width(self, searched: int, described: int) -> int:
        from landmarks.rerank.choice import WITH_TRAIN

        for step in WITH_TRAIN:
            searched = step.vector_width(searched, described)
        return searched

    def require_place(self, before: tuple[Step, ...], neighbours: int) -> None:
        if any(step.verified_images for step in before):
            raise ValueError("the step auto works in front of steps that verify: it knows no inliers of training images")

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        """Attaches chain.yaml, choice.csv and what the chosen steps attach."""
        import yaml

        from landmarks.progress import say
        from landmarks.rerank.choice import as_table, choose, chosen, report
        from landmarks.rerank.cost import measured

        seconds = {}
        with measured() as cost:
            verdicts = choose(context, self.draw, ranking.indices.shape[1])
        seconds["choice"] = cost.seconds
        report(verdicts)
        chain = chosen(verdicts)
        context.attach("choice.csv", as_table(verdicts).to_csv(index=False))
        steps = [{"step": step.step} | step.model_dump(mode="json", exclude_defaults=True, exclude={"step"}) for step in chain]
        context.attach("chain.yaml", yaml.safe_dump({"rerank": steps}, sort_keys=False))
        for place, step in enumerate(chain):
            inner = context.after((*context.chain, *chain[:place]))
            with measured() as cost:
                ranking = step.apply(ranking, inner)
            seconds[step.step] = cost.seconds
            context.attachments.update(inner.attachments)
        total = max(sum(seconds.values()), 1e-9)
        say("auto: seconds " + ", ".join(f"{name} {spent:.1f} ({spent / total:.0%})" for name, spent in seconds.items()))
        return ranking
