"""A chain run: every prefix of it is a ranking on disk, made once and shared by all chains that begin with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from landmarks.command import next_command
from landmarks.config import Chain, Config, Step, chain_names, step_class, step_names
from landmarks.errors import UserError
from landmarks.progress import say
from landmarks.ranking import Ranking, Space
from landmarks.rerank.context import Context
from landmarks.rerank.cost import measured
from landmarks.rerank.verified_pairs import VerifiedPairs
from landmarks.scoring.protocol import protocol_named
from landmarks.search.descriptor_source import DescriptorSource
from landmarks.search.origins import Origins
from landmarks.search.rankings import SPACE, chain_artefacts, read_chain_manifests, read_ranking, write_ranking
from landmarks.search.spaces import read_base_space, read_space, search_on_gpu
from landmarks.store.artefact import MANIFEST, Artefact, read_manifest
from landmarks.store.disk import require_space
from landmarks.store.files import has_links, read_array, write_text
from landmarks.store.local_features import local_model
from landmarks.store.tables import SPLITS, positions, read_tables

_MUCH = 1e9  # bytes worth a word
_POLL_SECONDS = 0.2
_FLOAT16 = 2  # bytes


def open_context(config: Config) -> Context:
    """The context of the run's searches. Raises UserError where the search has not been made."""
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    base, ids = read_base_space(config.run.folder / "space")
    rows = positions(ids["train"], tables.train.ids)
    if (rows < 0).any():
        missing = f"{(rows < 0).sum()} of {len(rows)} training images that were searched"
        raise UserError(
            f"{missing} are not in the table, first '{ids['train'][rows.argmin()]}'",
            where=tables.path("train"),
            next=f"the table that the search was made with, or {next_command('search')}",
        )
    landmark_ids = tables.train.landmark_ids[rows]
    descriptors = DescriptorSource(config, tables)
    return Context(
        base,
        landmark_ids,
        lambda split: descriptors.unwhitened(split).for_ids(ids[split]).matrix,
        search_on_gpu(config.run.device)[0],
        _inlier_counter(config, ids) if any(model.local for model in config.models.values()) else None,
        protocol_named(config.protocol).junk(tables.folder, ids["test"], ids["index"]),
        config.run.folder,
    )


def _inlier_counter(config: Config, ids: dict[str, np.ndarray]) -> Callable[[str, str, np.ndarray, np.ndarray], np.ndarray]:
    """Opened when first asked: a chain without verification needs no local features."""

    @cache
    def pairs(of: str, among: str) -> VerifiedPairs:
        return VerifiedPairs(
            config.run, config.verification, local_model(config.models, config.verification.model), (of, among), ids[of], ids[among]
        )

    return lambda of, among, first, second: pairs(of, among).counts(first, second).inliers


def require_disk(config: Config, chains: Iterable[Chain]) -> None:
    """Say how much disk the vectors of the steps that are still to be made take, where that is much.

    Vectors that a step leaves as they are take none, where the file system has hard links. The largest count twice: they also lie on disk
    while they are made.
    Raises UserError where there is not so much.
    """
    shapes = {split: read_array(config.run.folder / "space" / split / "vectors.npy", mapped=True).shape for split in SPLITS}
    searched = shapes["test"][1]
    described = _described_width(config) or searched
    linked, taken = has_links(config.run.folder), dict[Path, int]()
    for chain in chains:
        width = searched
        for step, artefact in zip(chain, chain_artefacts(config, chain), strict=True):
            width = step.vector_width(width, described) if step.searches else width
            if step.searches and not artefact.is_complete():
                taken[artefact.folder] = _FLOAT16 * width * sum(shapes[split][0] for split in (step.changes if linked else SPLITS))
    needed = sum(taken.values()) + max(taken.values(), default=0)
    remedy = "fewer steps or chains, whiten.dimensions=256, or run.folder on a larger disk"
    words = require_space(config.run.folder, f"the vectors of {len(taken)} steps", needed, remedy)
    if needed > _MUCH:
        say(f"rerank: the vectors of {len(taken)} steps take {words}")


def _described_width(config: Config) -> int:
    """Dimensions of the descriptors before whitening; 0 where they have been deleted since the search."""
    origins = Origins(config, config.tables_folder, config.dataset.train_table)
    if not config.models:
        path = origins.arrays / "index.npy"
        return read_array(path, mapped=True).shape[1] if path.is_file() else 0
    folders = [origins.described(model, "index") for model in config.models]
    if not all((folder / MANIFEST).is_file() for folder in folders):
        return 0
    return sum(read_manifest(folder).get("dimensions", 0) for folder in folders)


def make_chain(config: Config, chain: Chain, context: Callable[[], Context]) -> Path:
    """Make rankings/<prefix> for every prefix of `chain` that is not there; returns the folder of the last.

    context  gives the context, and is called only where something is to be made
    """
    if config.dataset.kind.is_benchmark:
        _refuse_learning(chain)
    read_chain_manifests(config, ())  # that of the search: nothing is begun on one of other settings
    artefacts = chain_artefacts(config, chain)
    if all(artefact.is_complete() for artefact in artefacts):
        return config.run.folder / "rankings" / chain_names(chain)[-1]
    ranking = read_ranking(config.run.folder / "rankings" / "knn")
    for steps, artefact in enumerate(artefacts):
        if not artefact.is_complete():
            own = context().after(chain[:steps])
            own.junk = own.junk if chain[steps].reads_junk else None  # what a ranking is made from is in its fingerprint
            made = _make(artefact, ranking, own, chain[steps])
            if made.space is not None and made.space.folder is None:
                own.store(own.space(ranking), made.space, _space_of(artefact))
        searched = (artefact.folder / SPACE).is_dir()
        space, before = (_space_of(artefact), ranking.space) if searched else (ranking.space, ranking.before)
        ranking = replace(read_ranking(artefact.folder), space=space, before=before)
    return artefacts[-1].folder


def await_chain(config: Config, chain: Chain) -> Path:
    """What `make_chain` returns, for the other processes of a run: they wait until its first one has made the rankings."""
    artefacts = chain_artefacts(config, chain)
    while not all(artefact.is_complete() for artefact in artefacts):
        time.sleep(_POLL_SECONDS)
    return config.run.folder / "rankings" / chain_names(chain)[-1]


def _refuse_learning(chain: Chain) -> None:
    """Benchmarks come without training images: a step that would silently do nothing there is a mistake."""
    learning = [step.step for step in chain if step.learns]
    if learning:
        raise UserError(
            f"the step {learning[0]} learns from train's landmarks, and a benchmark has no training images",
            where="rerank",
            next=f"leave it out of the chain; without train: {', '.join(name for name in step_names() if not step_class(name).learns)}",
        )


def space_after(config: Config, chain: Chain) -> Space:
    """The vectors of the last search of a chain that was run."""
    for artefact in reversed(chain_artefacts(config, chain)):
        if (artefact.folder / SPACE).is_dir():
            return read_space(artefact.folder / SPACE, {"ranking": artefact.fingerprint})
    return read_base_space(config.run.folder / "space")[0]


def _space_of(artefact: Artefact) -> Space:
    return read_space(artefact.folder / SPACE, {"ranking": artefact.fingerprint})


def _make(artefact: Artefact, ranking: Ranking, context: Context, step: Step) -> Ranking:
    artefact.begin()
    with measured() as cost:
        made = step.apply(ranking, context)
    if not isinstance(made, Ranking) or len(made.query_ids) != len(ranking.query_ids):  # a step from outside the package
        raise UserError(
            f"the step {step.step} returned {type(made).__name__}, not a Ranking of the same queries",
            where="rerank",
            next="return replace(ranking, ...), ranking.with_order(...) or context.search(...); see CONTRIBUTING.md, a step of your own",
        )
    write_ranking(artefact.folder, made, context.space(ranking))
    for name, text in context.attachments.items():
        write_text(artefact.folder / name, text)
    artefact.finish(step_seconds=round(cost.seconds, 4), peak_megabytes=cost.peak_megabytes, queries=len(made.query_ids))
    return made
