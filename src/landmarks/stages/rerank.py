"""rerank: the chain of steps, every prefix of it kept as a ranking of its own."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from landmarks.config import Config, chain_names
from landmarks.progress import say
from landmarks.ranking import Ranking
from landmarks.rerank import STEPS, Context
from landmarks.store.artefact import Artefact, fingerprint_of_file, read_manifest
from landmarks.store.rankings import ranking_settings, read_ranking, write_ranking
from landmarks.store.tables import read_tables


def rerank(config: Config) -> Path:
    """Make rankings/<prefix> for every prefix of the chain from rankings/knn; returns the last."""
    rankings, neighbours = config.run.folder / "rankings", config.run.folder / "train_neighbours"
    names = chain_names(config.rerank)
    last = rankings / names[-1]
    if not config.rerank:
        say("rerank: the chain is empty, knn is the result")
        return last
    train_table = config.tables_folder / config.dataset.train_table
    inputs = {"knn": read_manifest(rankings / "knn")["fingerprint"], "labels": fingerprint_of_file(train_table)}
    inputs |= {split: read_manifest(neighbours / split)["fingerprint"] for split in ("test", "index")}
    artefacts = [
        Artefact(rankings / name, "rerank", ranking_settings(config, steps), inputs) for steps, name in enumerate(names[1:], start=1)
    ]
    if all(artefact.is_complete() for artefact in artefacts):
        say("rerank: up to date")
        return last
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    context = Context(tables.train, lambda split: read_ranking(neighbours / split))
    ranking = read_ranking(rankings / "knn")
    for artefact, settings in zip(artefacts, config.rerank, strict=True):
        if artefact.is_complete():
            ranking = read_ranking(artefact.folder)
            continue
        artefact.begin()
        step = STEPS[settings.step]
        step(_without_queries(ranking), context, settings)  # compiles what is compiled on first use: not the step's own cost
        started = time.perf_counter()
        ranking = step(ranking, context, settings)
        step_seconds = time.perf_counter() - started
        write_ranking(artefact.folder, ranking)
        artefact.finish(step_seconds=round(step_seconds, 4), queries=len(ranking.query_ids))
    return last


def _without_queries(ranking: Ranking) -> Ranking:
    return replace(ranking, query_ids=ranking.query_ids[:0], indices=ranking.indices[:0], scores=ranking.scores[:0])
