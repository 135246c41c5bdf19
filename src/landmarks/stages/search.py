"""search: descriptors -> the vectors that are searched, and the first ranking."""

from __future__ import annotations

import shutil
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.command import next_command, tables_command
from landmarks.config import Config
from landmarks.device import choose_device
from landmarks.errors import UserError
from landmarks.ops.knn import compressed_knn, recall
from landmarks.ops.rows import BLOCK, row_blocks
from landmarks.processes import Processes, all_processes
from landmarks.progress import progress, say
from landmarks.ranking import Ranking
from landmarks.scoring.protocol import protocol_named
from landmarks.search.current import knn_artefact, space_artefact
from landmarks.search.descriptor_source import DescriptorSource, refuse_alike
from landmarks.search.rankings import write_ranking
from landmarks.search.spaces import open_search, search_on_gpu, write_vector_blocks
from landmarks.search.spaces import search as search_vectors
from landmarks.store.artefact import Artefact
from landmarks.store.csv_files import write_csv
from landmarks.store.descriptors import Descriptors
from landmarks.store.files import read_array, write_array
from landmarks.store.tables import Tables, positions, read_ids, read_tables

QUERIES_TOGETHER = 65_536  # that one process searches for at a time
_PARTS = "parts"
_SAMPLE = 200  # queries on which the recall of a compressed index is measured


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
    missing, ranked = [split for split in splits if not artefacts[split].is_complete()], knn.is_complete()
    processes = all_processes(choose_device(config.run.device)[0])
    processes.meet()  # all have looked before one begins
    if not missing and ranked:
        if processes.first:
            say("search: up to date")
        return knn.folder
    processes.first_alone(lambda: _write_space(tables, source, artefacts, missing))
    if not ranked:
        _rank(
            knn,
            config.run.folder / "space",
            config.search.neighbours,
            config.run.device,
            processes,
            compressed=config.search.index == "compressed",
        )
    return knn.folder


def _write_space(tables: Tables, source: DescriptorSource, artefacts: dict[str, Artefact], missing: list[str]) -> None:
    """Write the vectors of the splits that are missing."""
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


def _write_vectors(artefact: Artefact, vectors: Descriptors, source: DescriptorSource | None) -> None:
    """Write ids.csv and vectors.npy; with those of the distractors of `source` behind them."""
    ids, blocks = vectors.ids, row_blocks(vectors.matrix)
    if source is not None and source.distractors is not None:
        others = source.distractors.ids
        ids = _together(ids, others)
        blocks = chain(blocks, progress(source.distractor_vectors(), "distractors", "block", total=-(-len(others) // BLOCK)))
    artefact.begin()
    write_csv(artefact.folder / "ids.csv", pd.DataFrame({"id": ids}))
    dimensions = write_vector_blocks(artefact.folder / "vectors.npy", len(ids), blocks)
    artefact.finish(images=len(ids), dimensions=dimensions)


def _rank(knn: Artefact, space: Path, neighbours: int, device: str, processes: Processes, *, compressed: bool) -> None:
    use_gpu, reason = search_on_gpu(device)
    if processes.first and not compressed:
        say(f"search on {'GPU' if use_gpu else 'CPU'}: {reason}")
    queries, index = (read_array(space / split / "vectors.npy", mapped=True) for split in ("test", "index"))
    processes.first_alone(knn.begin)
    facts: dict[str, Any] = {}
    if compressed:
        if processes.first:
            indices, scores, facts = _search_compressed(queries, index, neighbours)
    elif processes.count == 1:
        indices, scores = search_vectors(queries, index, neighbours, "search test in index", use_gpu)
    else:
        indices, scores = _search_together(knn, queries, index, neighbours, use_gpu, processes)
    if processes.first:
        query_ids, index_ids = (read_ids(space / split / "ids.csv") for split in ("test", "index"))
        write_ranking(knn.folder, Ranking(query_ids, index_ids, indices, scores))
        shutil.rmtree(knn.folder / _PARTS, ignore_errors=True)
        knn.finish(queries=len(query_ids), index=len(index_ids), dimensions=index.shape[1], **facts)
    processes.meet()


def _search_compressed(queries: np.ndarray, index: np.ndarray, neighbours: int) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """The lists of all queries by a compressed index, and its recall on a sample, which is printed."""
    with progress(None, "search test in index, compressed", "image", total=len(queries)) as bar:
        indices, scores = compressed_knn(queries, index, neighbours, on_block=bar.update)
    sample = np.linspace(0, len(queries) - 1, min(_SAMPLE, len(queries))).astype(int)
    exact, _ = search_vectors(queries[sample], index, neighbours, "recall of the compressed index")
    share = recall(indices[sample], exact)
    say(f"search: the compressed index finds {share:.1%} of the {neighbours} exact neighbours, measured on {len(sample)} queries")
    return indices, scores, {"recall": round(share, 4)}


def _search_together(
    knn: Artefact, queries: np.ndarray, index: np.ndarray, neighbours: int, use_gpu: bool, processes: Processes
) -> tuple[np.ndarray, np.ndarray]:
    """The lists of all queries, of which each process makes its parts, in files that a run that was cut off finds again."""
    if not processes.first:
        knn.share()
    each = min(QUERIES_TOGETHER, max(1, -(-len(queries) // processes.count)))
    starts = range(0, len(queries), each)
    paths = [knn.folder / _PARTS / f"{start:09d}-{min(start + each, len(queries)):09d}.npy" for start in starts]
    (knn.folder / _PARTS).mkdir(exist_ok=True)
    own = processes.own(list(zip(starts, paths, strict=True)))
    unmade = [(start, path) for start, path in own if not path.exists()]
    images, lacking = (sum(len(queries[start : start + each]) for start, _ in some) for some in (own, unmade))
    what = f"search test in index, 1 of {processes.count} processes"
    with progress(None, what, "image", total=images, done=images - lacking, hidden=not processes.first) as bar:
        find = open_search(index if unmade else index[:0], each, len(queries), use_gpu)
        for start, path in unmade:
            indices, scores = find(queries[start : start + each], neighbours, bar.update)
            write_array(path, np.stack([indices, scores.view(np.int32)]))
    parts: list[np.ndarray] = []
    if processes.first:  # alone, since it then deletes them: another could look for them for ever
        processes.wait_for(paths, "the lists of the other processes")
        parts = [read_array(path) for path in paths]
    whole = np.concatenate([np.empty((2, 0, neighbours), np.int32), *parts], axis=1)
    return whole[0], whole[1].view(np.float32)


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
