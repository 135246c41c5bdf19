"""Spaces on disk: the vectors that are searched, and the nearest neighbours within them, each computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from landmarks.errors import UserError
from landmarks.ops.half import to_float16
from landmarks.ops.knn import Found, OpenedIndex, open_index, streamed_knn
from landmarks.ops.knn_graph import nearest_others
from landmarks.progress import progress
from landmarks.ranking import Space
from landmarks.store.artefact import Artefact, read_manifest
from landmarks.store.files import atomic_write, link_file, read_array, write_array
from landmarks.store.tables import SPLITS, read_ids

_LISTS = "indices.npy", "similarities.npy"
_FEW_QUERIES = 8192  # the lists of so many are kept in memory while the index is read block by block
_LARGE_INDEX = 1 << 27  # numbers; 0.5 GB as float32
_HUGE_INDEX = 1 << 30  # that is read in blocks for any number of queries: 4 GB as float32


def search_on_gpu(requested: str) -> tuple[bool, str]:
    """Whether GPUs search, and the reason in words, for config.run.device ("auto", "cpu" or "cuda").

    Raises UserError where CUDA is asked for and there is no card.
    """
    from landmarks.device import choose_device

    device, reason = choose_device(requested)
    return device.type == "cuda", reason


def read_base_space(folder: Path) -> tuple[Space, dict[str, np.ndarray]]:
    """The space of the first search, <run>/space, and the ids of its rows, by split. Raises UserError where it is not there."""
    made = {split: read_manifest(folder / split)["fingerprint"] for split in SPLITS}
    splits = {split: read_base_split(folder, split) for split in SPLITS}
    vectors, ids = ({split: both[which] for split, both in splits.items()} for which in (0, 1))
    return Space.stored(vectors, folder, made), ids


def read_base_split(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Vectors, memory-mapped, and ids of one split of the space of the first search: train has none where nothing needs it."""
    return read_array(folder / split / "vectors.npy", mapped=True), read_ids(folder / split / "ids.csv")


def write_vectors(path: Path, vectors: np.ndarray) -> None:
    """Write (n, d) as float16: similarities of unit vectors are exact to three decimals."""
    write_array(path, vectors if vectors.dtype == np.float16 else to_float16(vectors))


def write_vector_blocks(path: Path, rows: int, blocks: Iterable[np.ndarray]) -> int:
    """As `write_vectors`, block by block, so that the whole need not fit in memory. Returns the dimensions.

    rows  of all blocks together; raises ValueError where they have more or fewer
    """
    done, dimensions = 0, 0
    narrow = np.empty((0, 0), np.float16)  # memory that all blocks share
    with atomic_write(path) as aside, open(aside, "wb") as file:
        for block in blocks:
            if done == 0:
                dimensions = block.shape[1]
                header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float16)), "fortran_order": False, "shape": (rows, dimensions)}
                np.lib.format.write_array_header_1_0(file, header)
            if len(narrow) < len(block) or narrow.shape[1] != block.shape[1]:
                narrow = np.empty(block.shape, np.float16)
            to_float16(block, narrow[: len(block)])
            file.write(narrow[: len(block)].data)
            done += len(block)
        if done != rows:
            raise ValueError(f"{done} rows instead of {rows}")
    return dimensions


def write_space(folder: Path, space: Space, before: Space | None = None) -> None:
    """Write the vectors of each split, float16.

    before  the space of the step before, as `read_space` gives it: of vectors that are still the same its file gets a second name
    """
    for split in SPLITS:
        vectors, path = space.vectors(split), folder / f"{split}.npy"
        same = before is not None and before.folder is not None and vectors is before.vectors(split)
        file = vectors.filename if same and isinstance(vectors, np.memmap) and vectors.dtype == np.float16 else None
        if file is None or not link_file(Path(file), path):
            write_vectors(path, vectors)


def read_space(folder: Path, made: dict[str, str]) -> Space:
    """The space in `folder`, memory-mapped. made: the fingerprints of what made it."""
    return Space.stored({split: read_array(folder / f"{split}.npy", mapped=True) for split in SPLITS}, folder, made)


def nearest(space: Space, of: str, among: str, neighbours: int, use_gpu: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """For every image of the split `of` its nearest images in the split `among`, never itself.

    Returns indices (n, neighbours) int32, -1 = none, and similarities (n, neighbours) float32, -inf = none, most similar
    first. They are kept beside a space on disk, and searched for only once.
    """
    if space.folder is None:
        return _search(space, of, among, neighbours, use_gpu)
    if _kept(space, of, among) < neighbours:
        found = _search(space, of, among, neighbours, use_gpu)
        keep_neighbours(space, of, among, *found)
        return found
    indices, similarities = (read_array(_neighbours(space, of, among) / name, mapped=True) for name in _LISTS)
    return np.ascontiguousarray(indices[:, :neighbours]), np.ascontiguousarray(similarities[:, :neighbours])


def keep_neighbours(space: Space, of: str, among: str, indices: np.ndarray, similarities: np.ndarray) -> None:
    """What `nearest` would find, (n, k) both, beside a space on disk."""
    with _keeping(space, of, among, indices.shape[1]) as folder:
        for name, values in zip(_LISTS, (indices, similarities), strict=True):
            write_array(folder / name, values)


def share_neighbours(space: Space, same: Space, of: str, among: str) -> None:
    """Those that are kept beside the one space on disk, beside another one with the same vectors; nothing where there are none."""
    neighbours = _kept(space, of, among)
    if neighbours > _kept(same, of, among):
        with _keeping(same, of, among, neighbours) as folder:
            for name in _LISTS:
                source = _neighbours(space, of, among) / name
                if not link_file(source, folder / name):
                    write_array(folder / name, read_array(source, mapped=True))


def _neighbours(space: Space, of: str, among: str) -> Path:
    assert space.folder is not None
    return space.folder / "neighbours" / f"{of}-{among}"


@contextmanager
def _keeping(space: Space, of: str, among: str, neighbours: int) -> Iterator[Path]:
    artefact = Artefact(_neighbours(space, of, among), "rerank", {"neighbours": neighbours}, space.made)
    artefact.begin()
    yield artefact.folder
    artefact.finish(images=len(space.vectors(of)))


def _kept(space: Space, of: str, among: str) -> int:
    """How many neighbours of every image an earlier search has left beside the space; 0 = there was none."""
    if space.folder is None:
        return 0
    try:
        manifest = read_manifest(_neighbours(space, of, among))
    except UserError:
        return 0
    return manifest["settings"].get("neighbours", 0) if manifest["inputs"] == space.made else 0


def _search(space: Space, of: str, among: str, neighbours: int, use_gpu: bool) -> tuple[np.ndarray, np.ndarray]:
    if of != among:
        return search(space.vectors(of), space.vectors(among), neighbours, f"search {of} in {among}", use_gpu)
    indices, similarities = search(space.vectors(of), space.vectors(among), neighbours + 1, f"search {of} in {among}", use_gpu)
    return nearest_others(indices, similarities, neighbours)


def search(queries: np.ndarray, index: np.ndarray, neighbours: int, what: str, use_gpu: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The nearest rows of `index`, as ops.knn.exact_knn returns them, with progress.

    For few queries a large index is read in blocks, and for many a huge one: mapped from disk, it is never in memory as a whole.
    """
    if is_read_in_blocks(index, len(queries)):
        with progress(None, what, "image", total=len(index)) as bar:
            return streamed_knn(queries, index, neighbours, use_gpu=use_gpu, on_block=bar.update)
    with progress(None, what, "image", total=len(queries)) as bar:
        return open_search(index, len(queries), len(queries), use_gpu)(queries, neighbours, bar.update)


def is_read_in_blocks(index: np.ndarray, queries: int) -> bool:
    """Whether an index goes by block by block for so many queries."""
    return index.size > (_LARGE_INDEX if queries <= _FEW_QUERIES else _HUGE_INDEX)


def open_search(index: np.ndarray, together: int, expected: int, use_gpu: bool) -> OpenedIndex:
    """As `ops.knn.open_index`, or a function that reads the index in blocks for each call.

    together  queries of one call, at most
    expected  queries of all calls, of all processes that share them
    """
    if is_read_in_blocks(index, together):

        def streamed(queries: np.ndarray, neighbours: int, on_done: Callable[[int], object] = lambda queries: None) -> Found:
            found = streamed_knn(queries, index, neighbours, expected=expected, use_gpu=use_gpu)
            on_done(len(queries))
            return found

        return streamed
    return open_index(index, expected=expected, use_gpu=use_gpu)
