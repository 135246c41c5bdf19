"""search: descriptors -> the vectors that are searched, and the first ranking."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.command import next_command, tables_command
from landmarks.config import Config
from landmarks.errors import UserError
from landmarks.ops.vectors import BLOCK
from landmarks.progress import progress, say
from landmarks.ranking import Ranking
from landmarks.scoring.protocol import protocol_named
from landmarks.search.current import knn_artefact, space_artefact
from landmarks.search.descriptor_source import DescriptorSource, refuse_alike
from landmarks.search.rankings import write_ranking
from landmarks.search.spaces import search as search_vectors
from landmarks.search.spaces import search_on_gpu, write_vector_blocks
from landmarks.store.artefact import Artefact
from landmarks.store.csv_files import write_csv
from landmarks.store.descriptors import Descriptors
from landmarks.store.files import read_array
from landmarks.store.tables import positions, read_ids, read_tables


def search(config: Config) -> Path:
    """Make space/{test,index,train} and rankings/knn (test over index); returns the latter.

    The vectors of train are made only where a step of the chain, or recognition, may need them.
    """
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    for split in ("test", "index"):
        if len(tables.ids(split)) == 0:
            what = "queries, so that there is nothing to search for" if split == "test" else "images, so that there is nothing to search"
            raise UserError(
                f"{split}.csv lists no {what}", where=tables.path(split), next=tables_command() or "list the images of the split"
            )
    source = DescriptorSource(config, tables)
    splits = ("test", "index", "train") if config.rerank or protocol_named(config.protocol).reads_train else ("test", "index")
    artefacts = {split: space_artefact(config, source.origins, split) for split in splits}
    knn = knn_artefact(config, {split: artefact.fingerprint for split, artefact in artefacts.items()})
    missing = [split for split in splits if not artefacts[split].is_complete()]
    if not missing and knn.is_complete():
        say("search: up to date")
        return knn.folder
    vectors = {split: source.vectors(split) for split in missing}  # all are read before the first is written
    for split in missing:
        if split != "train" and len(vectors[split].ids) == 0:
            raise UserError(f"none of the {split} images could be described", where=tables.path(split), next=next_command("extract"))
    _refuse_other_dimensions({split: one.matrix.shape[1] for split, one in vectors.items()})
    for split in missing:
        if split != "test":
            refuse_alike(vectors[split].matrix, f"the {split}", tables.path(split))
    for split, one in vectors.items():
        _write_vectors(artefacts[split], one, source if split == "index" else None)
    if not knn.is_complete():
        _rank(knn, config.run.folder / "space", config.search.neighbours, config.run.device)
    return knn.folder


def _write_vectors(artefact: Artefact, vectors: Descriptors, source: DescriptorSource | None) -> None:
    """Write ids.csv and vectors.npy; with those of the distractors of `source` behind them."""
    ids, blocks = vectors.ids, iter([vectors.matrix])
    if source is not None and source.distractors is not None:
        others = source.distractors.ids
        ids = _together(ids, others)
        blocks = chain(blocks, progress(source.distractor_vectors(), "distractors", "block", total=-(-len(others) // BLOCK)))
    artefact.begin()
    write_csv(artefact.folder / "ids.csv", pd.DataFrame({"id": ids}))
    dimensions = write_vector_blocks(artefact.folder / "vectors.npy", len(ids), blocks)
    artefact.finish(images=len(ids), dimensions=dimensions)


def _rank(knn: Artefact, space: Path, neighbours: int, device: str) -> None:
    use_gpu, reason = search_on_gpu(device)
    say(f"search on {'GPU' if use_gpu else 'CPU'}: {reason}")
    queries, index = (read_array(space / split / "vectors.npy", mapped=True) for split in ("test", "index"))
    knn.begin()
    indices, scores = search_vectors(queries, index, neighbours, "search test in index", use_gpu)
    query_ids, index_ids = (read_ids(space / split / "ids.csv") for split in ("test", "index"))
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
        found = ", ".join(f"{split} {count}" for split, count in dimensions.items())
        raise UserError(f"descriptors of different dimensions: {found}", next="extract all splits with the same model")
