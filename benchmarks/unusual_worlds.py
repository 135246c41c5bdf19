"""What auto chooses in worlds that no setting was made on, against every prefix of its chain, on descriptors with a ground truth.

    python benchmarks/unusual_worlds.py DESCRIPTORS
    python benchmarks/unusual_worlds.py DESCRIPTORS --worlds "20 queries" "labels 20 % wrong" --seeds 0 1 2 3

A world is one of changed_worlds.py. mAP@100 of the public queries behind every prefix; auto less the best prefix with its 95 % interval by
the paired bootstrap over the landmarks, each drawn with its queries in the worlds of all seeds. Below each row, what auto said.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from changed_worlds import WORLDS, Raw, raw_world
from thinned_worlds import Descriptors

from landmarks.config.chain import Chain, chain_names
from landmarks.metrics.bootstrap import mean_interval
from landmarks.metrics.google_landmarks import average_precision
from landmarks.progress import say
from landmarks.rerank.choice import WHERE_DEEP, WITH_TRAIN, choose, chosen, diffusion
from landmarks.rerank.index_owners import index_depth
from landmarks.rerank.steps.auto import Auto


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--usages", nargs="+", default=["Public"], help="whose queries count")
    options = parser.parse_args()
    descriptors = Descriptors(options.folder, tuple(options.usages))
    steps = " | ".join(step.step for step in (*WITH_TRAIN, *WHERE_DEEP))
    say(f"| world | queries | depth | knn | {steps} | diffuse | auto | less the best prefix |")
    say("|---|" + "---:|" * 10 + "---|")
    for name in options.worlds:
        cell, change = WORLDS[name]
        made = [_Made(change(raw_world(descriptors, cell, seed), np.random.default_rng(seed))) for seed in options.seeds]
        say(f"| {name} | {' | '.join(_row(made))} |")
        for one in made:
            say("\n".join(f"    {line}" for line in one.said))


class _Made:
    """One draw of a world: the average precisions in percent behind every prefix (prefixes, n_query), and behind what auto chose."""

    def __init__(self, raw: Raw):
        world, self.owners = raw.open(), raw.query_owners
        context = world.context.after(())
        depth = index_depth(context)
        self.depth = depth.images
        verdicts = choose(context, Auto().draw, raw.neighbours)
        self.said = [f"{'kept' if one.kept else 'dropped'} {one.step.step} {one.low:+.2f} {one.high:+.2f} {one.why}" for one in verdicts]
        chain: Chain = (*WITH_TRAIN, *WHERE_DEEP, *diffusion(depth))
        rankings = {"knn": world.ranking}
        for every in (chain, chosen(verdicts)):
            names = chain_names(every)
            for place, step in enumerate(every):
                if names[place + 1] not in rankings:
                    rankings[names[place + 1]] = step.apply(rankings[names[place]], world.context.after(every[:place]))
        precisions = {name: 100 * average_precision(ranking.indices, *world.truth) for name, ranking in rankings.items()}
        self.prefixes = [precisions[name] for name in chain_names(chain)]
        self.auto = precisions[chain_names(chosen(verdicts))[-1]]


def _row(made: list[_Made]) -> list[str]:
    prefixes = [np.concatenate(one) for one in zip(*(one.prefixes for one in made), strict=False)]
    auto, owners = np.concatenate([one.auto for one in made]), np.concatenate([one.owners for one in made])
    best = max(prefixes, key=np.mean)
    numbers = np.unique(owners, return_inverse=True)[1]
    queries = np.bincount(numbers)
    change = np.bincount(numbers, auto - best) / queries.mean()
    low, high = mean_interval(change[:, None])[:, 0]
    scores = [f"{prefix.mean():.2f}" for prefix in prefixes]
    less = f"{(auto - best).mean():+.2f} ({low:+.2f} to {high:+.2f})"
    depth = f"{np.mean([one.depth for one in made]):.0f}"
    return [str(len(auto)), depth, *scores, *[""] * (7 - len(scores)), f"{auto.mean():.2f}", less]


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
