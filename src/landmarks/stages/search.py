"""search: descriptors -> the first ranking, and the nearest training images of every query and index image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landmarks.config import Config
from landmarks.errors import UserError
from landmarks.ops.knn import graphics_cards, knn_blocks
from landmarks.progress import progress, say
from landmarks.ranking import Ranking
from landmarks.store.artefact import Artefact
from landmarks.store.descriptors import Descriptors
from landmarks.store.rankings import ranking_settings, write_ranking
from landmarks.store.search_space import SearchSpace, space_settings
from landmarks.store.tables import read_tables


def search(config: Config) -> Path:
    """Make rankings/knn (test over index) and train_neighbours/{test,index} (over train); returns the first.

    The neighbours are searched for only where a step of the chain asks for votes.
    """
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    space = SearchSpace(config, tables)
    folder = config.run.folder
    jobs = [(folder / "rankings" / "knn", "test", "index", ranking_settings(config, steps=0))]
    if config.rerank:
        settings = space_settings(config) | {"neighbours": config.search.train_neighbours}
        jobs += [(folder / "train_neighbours" / split, split, "train", settings) for split in ("test", "index")]
    artefacts = [Artefact(path, "search", settings, space.inputs(queries, index)) for path, queries, index, settings in jobs]
    unfinished = [pair for pair in zip(artefacts, jobs, strict=True) if not pair[0].is_complete()]
    if not unfinished:
        say("search: up to date")
        return jobs[0][0]
    use_gpu = _choose_gpu(config)
    descriptors = {split: space.descriptors(split) for split in dict.fromkeys(s for _, job in unfinished for s in job[1:3])}
    for artefact, (path, queries, index, settings) in unfinished:
        artefact.begin()
        ranking = _rank(descriptors[queries], descriptors[index], settings["neighbours"], use_gpu, f"search {queries} in {index}")
        write_ranking(path, ranking)
        artefact.finish(queries=len(ranking.query_ids), index=len(ranking.index_ids), dimensions=descriptors[index].matrix.shape[1])
    return jobs[0][0]


def _rank(queries: Descriptors, index: Descriptors, neighbours: int, use_gpu: bool, what: str) -> Ranking:
    if queries.matrix.shape[1] != index.matrix.shape[1]:
        raise UserError(
            f"{what}: the descriptors have {queries.matrix.shape[1]} and {index.matrix.shape[1]} dimensions",
            next="extract all splits with the same model",
        )
    indices = np.full((len(queries.ids), neighbours), -1, np.int32)
    scores = np.full((len(queries.ids), neighbours), -np.inf, np.float32)
    done = 0
    with progress(None, what, "image", total=len(indices)) as bar:
        for block_indices, block_scores in knn_blocks(queries.matrix, index.matrix, neighbours, use_gpu=use_gpu):
            indices[done : done + len(block_indices)] = block_indices
            scores[done : done + len(block_indices)] = block_scores
            done += len(block_indices)
            bar.update(len(block_indices))
    return Ranking(queries.ids, index.ids, indices, scores)


def _choose_gpu(config: Config) -> bool:
    cards = graphics_cards()
    if config.run.device == "cuda" and cards == 0:
        raise UserError("run.device=cuda, but FAISS sees no GPU", next="run.device=auto")
    use_gpu = cards > 0 and config.run.device != "cpu"
    reason = f"{cards} GPUs found" if cards else "FAISS sees no GPU"
    say(f"search on {'GPU' if use_gpu else 'CPU'}: {'run.device=cpu' if config.run.device == 'cpu' else reason}")
    return use_gpu
