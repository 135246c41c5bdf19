"""search: descriptors -> the space that is searched, and the first ranking."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.config import Config
from landmarks.errors import UserError
from landmarks.ops.vectors import BLOCK
from landmarks.progress import progress, say
from landmarks.ranking import Ranking
from landmarks.search.descriptor_source import SearchSpace, space_settings
from landmarks.search.rankings import ranking_settings, write_ranking
from landmarks.search.spaces import search as search_vectors
from landmarks.search.spaces import search_on_gpu, write_vector_blocks
from landmarks.store.artefact import Artefact
from landmarks.store.files import read_array
from landmarks.store.tables import positions, read_ids, read_tables, write_csv


def search(config: Config) -> Path:
    """Make space/{test,index,train} and rankings/knn (test over index); returns the latter.

    The vectors of train are made only where a step of the chain, or recognition, may ask for them.
    """
    descriptors = SearchSpace(config, read_tables(config.tables_folder, config.dataset.train_table))
    splits = ("test", "index", "train") if config.rerank or config.protocol == "recognition" else ("test", "index")
    vectors = {
        split: Artefact(config.run.folder / "space" / split, "search", space_settings(config), descriptors.inputs(split))
        for split in splits
    }
    inputs = {split: vectors[split].fingerprint for split in ("test", "index")}
    knn = Artefact(config.run.folder / "rankings" / "knn", "search", ranking_settings(config, ()), inputs)
    missing = [split for split in splits if not vectors[split].is_complete()]
    if not missing and knn.is_complete():
        say("search: up to date")
        return knn.folder
    made_now = {split: descriptors.descriptors(split) for split in missing}  # all are read before the first is written
    _refuse_other_dimensions({split: made.matrix.shape[1] for split, made in made_now.items()})
    for split, made in made_now.items():
        ids, blocks = made.ids, [made.matrix]
        if split == "index" and descriptors.distractors is not None:
            ids = _together(made.ids, descriptors.distractors.ids)
            bar = progress(descriptors.whitened_distractors(), "distractors", "block", total=-(-(len(ids) - len(made.ids)) // BLOCK))
            blocks = chain(blocks, bar)
        vectors[split].begin()
        write_csv(vectors[split].folder / "ids.csv", pd.DataFrame({"id": ids}))
        dimensions = write_vector_blocks(vectors[split].folder / "vectors.npy", len(ids), blocks)
        vectors[split].finish(images=len(ids), dimensions=dimensions)
    if not knn.is_complete():
        _rank(config, knn, vectors)
    return knn.folder


def _rank(config: Config, knn: Artefact, vectors: dict[str, Artefact]) -> None:
    use_gpu, reason = search_on_gpu(config.run.device)
    say(f"search on {'GPU' if use_gpu else 'CPU'}: {reason}")
    queries, index = (read_array(vectors[split].folder / "vectors.npy", mapped=True) for split in ("test", "index"))
    knn.begin()
    indices, scores = search_vectors(queries, index, config.search.neighbours, "search test in index", use_gpu)
    query_ids, index_ids = (read_ids(vectors[split].folder / "ids.csv") for split in ("test", "index"))
    write_ranking(knn.folder, Ranking(query_ids, index_ids, indices, scores))
    knn.finish(queries=len(query_ids), index=len(index_ids), dimensions=index.shape[1])


def _together(ids: np.ndarray, distractors: np.ndarray) -> np.ndarray:
    shared = np.flatnonzero(positions(distractors, ids) >= 0)
    if len(shared):
        raise UserError(
            f"{len(shared)} distractors are index images, first '{distractors[shared[0]]}'",
            where="dataset.distractors",
            next="name a run over other images",
        )
    return np.append(ids, distractors)


def _refuse_other_dimensions(dimensions: dict[str, int]) -> None:
    if len(set(dimensions.values())) > 1:
        told = ", ".join(f"{split} {count}" for split, count in dimensions.items())
        raise UserError(f"descriptors of different dimensions: {told}", next="extract all splits with the same model")
