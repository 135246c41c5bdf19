"""import: a folder of photos sorted by landmark -> a dataset in GLDv2's layout, with queries and solutions."""

from __future__ import annotations

import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from landmarks.config import Config
from landmarks.config.run_file import has_made_parts
from landmarks.data.images import read_image
from landmarks.data.near_duplicates import first_of_each, near_duplicate_pairs, small_grey
from landmarks.data.photo_split import PUBLIC_SHARE, PhotoSplit, split_photos
from landmarks.datasets.images import image_path
from landmarks.datasets.photo_folder import Photo, find_photos
from landmarks.datasets.recognition import write_recognition_solution
from landmarks.errors import UserError
from landmarks.lifeline import cancelled_on_error
from landmarks.progress import progress, say
from landmarks.reading import open_regular
from landmarks.seeds import seed_of
from landmarks.store.artefact import Artefact
from landmarks.store.csv_files import write_csv
from landmarks.store.dataset_folder import is_replaced, refuse_replacing
from landmarks.store.files import atomic_write, write_jpeg
from landmarks.store.json_files import writable
from landmarks.store.tables import SPLITS

HASH_SIDE = 256  # pixels of a photo's shorter side for its perceptual hash: with 64, half of all resized copies differ in more than 3 bits


def import_photos(config: Config) -> Path:
    """Make <run.folder>/dataset from <dataset.folder>/<landmark>/**/photo; returns its path.

    train.csv (id,landmark_id), index.csv, test.csv (id), the two solutions, the pictures in <split>/a/b/c/;
    landmarks.csv (landmark_id,name,in_train), query_groups.csv (id,group), and index_image_to_landmark.csv (id,landmark_id), whose
    numbers are, as in GLDv2, not those of train.csv. The id is the start of the file content's SHA-256: `sha256sum photo.jpg`.
    Raises UserError, before anything is written, for another layout and (unless extract.on_error=skip) for an unreadable photo;
    and where another dataset is there that the run was made from (run.overwrite=false).
    """
    source, folder = config.dataset.folder, config.tables_folder
    _refuse_overlap(source, folder)
    photos, ignored = find_photos(source)
    settings = {**config.photos.model_dump(), "public_share": PUBLIC_SHARE, "on_error": config.extract.on_error, "tables": 2}
    artefact = Artefact(folder, "import", settings, {"photos": _listing_digest(photos)})
    if artefact.is_complete():
        say(f"import: up to date ({folder})")
        return folder
    if has_made_parts(config.run.folder) and not config.run.overwrite:
        refuse_replacing(artefact, "run.folder=ANOTHER")
    if is_replaced(artefact):
        say(f"import: settings or files are others than before, the dataset is made again ({folder})")

    ids, small, unreadable = _read_all(photos, config.dataset.max_pixels)
    if unreadable and config.extract.on_error != "skip":
        raise UserError(
            f"{len(unreadable)} of {len(photos)} photos cannot be read; nothing was written",
            where=source / next(iter(unreadable)),
            next="replace or remove them, or extract.on_error=skip to leave them out",
        )
    photos = [photo for photo in photos if photo.name not in unreadable]
    photos, ids, left_out = _each_once(photos, ids, small, config.photos.near_duplicate_bits)
    labels = np.array([photo.label for photo in photos], dtype=object)
    split = split_photos(ids, labels, config.photos)

    artefact.begin()
    for photo, id, name in progress(list(zip(photos, ids, split.splits, strict=True)), "writing photos", "photo"):
        _place(photo.path, image_path(folder, name, id), config.dataset.max_pixels)
    _write_tables(folder, ids, labels, split, config.photos.seed)
    counts = {name: int((split.splits == name).sum()) for name in ("train", "index", "test")}
    os.sync()  # once for all photos
    artefact.finish(
        without=SPLITS,
        editable=True,
        **counts,
        landmarks=len(set(labels)),
        landmarks_in_train=len(split.trained),
        sources={id: photo.name for id, photo in zip(ids, photos, strict=True)},
        passed_over=ignored,
        unreadable=unreadable,
        **left_out,
    )
    say(
        f"import: {counts['train']} train, {counts['index']} index and {counts['test']} query photos of {len(set(labels))} landmarks, "
        f"{len(split.trained)} of them in train ({folder})"
    )
    return folder


def _refuse_overlap(source: Path, folder: Path) -> None:
    source, folder = source.resolve(), folder.resolve()
    if source in (folder, *folder.parents) or folder in source.parents:
        raise UserError(
            "the dataset would be written into the photos, or is made from itself",
            where=folder,
            next="run.folder=ANOTHER, outside dataset.folder",
        )


def _listing_digest(photos: list[Photo]) -> str:
    """The digest of name, size and time of every photo; with that of the contents, a second run would have to read every photo."""
    lines = "\n".join(f"{photo.name}\t{photo.size}\t{photo.modified}" for photo in photos)
    return hashlib.blake2b(lines.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _read_all(photos: list[Photo], max_pixels: int) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """ids (n,) and small grey images (n, 32, 32) uint8 of the readable photos; and name -> reason for the others."""
    unreadable: dict[str, str] = {}
    ids: list[str] = []
    small: list[np.ndarray] = []
    with cancelled_on_error(ThreadPoolExecutor(os.cpu_count())) as threads:  # Pillow and hashlib release the interpreter lock
        found = threads.map(partial(_read, max_pixels=max_pixels), photos)
        for photo, read in zip(photos, progress(found, "reading photos", "photo", total=len(photos)), strict=True):
            if isinstance(read, str):
                unreadable[photo.name] = read
                say(f"import: {photo.path}: {read}")
            else:
                ids.append(read[0])
                small.append(read[1])
    return np.array(ids, dtype=object), np.array(small, np.uint8).reshape(-1, 32, 32), unreadable


def _read(photo: Photo, max_pixels: int) -> tuple[str, np.ndarray] | str:
    """Id and small grey image of a photo, or why it cannot be read."""
    try:
        with open_regular(photo.path) as file:
            id = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        return id, small_grey(read_image(photo.path, HASH_SIDE, max_pixels))
    except UserError as error:
        return error.what
    except OSError as error:
        return str(error.strerror)


def _each_once(
    photos: list[Photo], ids: np.ndarray, small: np.ndarray, bits: int
) -> tuple[list[Photo], np.ndarray, dict[str, dict[str, str] | list[str]]]:
    """Photos and ids in the order of the ids without copies, and the names of those that were left out.

    bits  hashes that differ in at most so many bits are near-duplicates
    """
    order = sorted(range(len(ids)), key=lambda n: (ids[n], photos[n].name))
    photos, ids, small = [photos[n] for n in order], ids[order], small[order]
    labels = np.array([photo.label for photo in photos], dtype=object)
    first = pd.Series(np.arange(len(ids))).groupby(ids).transform("first").to_numpy()
    identical = np.stack([first, np.arange(len(ids))], axis=1)[first < np.arange(len(ids))]
    alike = near_duplicate_pairs(small, bits)
    pairs = np.unique(np.concatenate([identical, alike]), axis=0)
    representatives, conflicts = first_of_each(pairs, labels)

    copies = {photos[n].name: photos[kept].name for n, kept in enumerate(representatives) if n != kept}
    if copies:
        say(f"import: {len(copies)} near-duplicates left out (photos.near_duplicate_bits=-1 keeps all but identical files)")
    for one, other in pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]:
        say(f"import: warning: the same picture under two landmarks, left out of both: {photos[one].name}, {photos[other].name}")
    two_landmarks = [photos[n].name for n in np.flatnonzero(conflicts)]
    kept = np.flatnonzero((representatives == np.arange(len(ids))) & ~conflicts)
    return [photos[n] for n in kept], ids[kept], {"near_duplicates": copies, "two_landmarks": two_landmarks}


def _place(source: Path, target: Path, max_pixels: int) -> None:
    """A JPEG is linked, which costs no disk, or copied where the file system cannot; other formats become JPEG."""
    if target.exists():  # from an interrupted run; the name is derived from the content
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_regular(source) as file:
        is_jpeg = file.read(2) == b"\xff\xd8"
    if is_jpeg:
        try:
            return os.link(os.path.realpath(source), target)
        except OSError:
            pass
        with atomic_write(target, durable=False) as aside:
            shutil.copyfile(source, aside)
    else:
        write_jpeg(target, Image.fromarray(read_image(source, 1 << 30, max_pixels)), 95, durable=False)


def _write_tables(folder: Path, ids: np.ndarray, labels: np.ndarray, split: PhotoSplit, seed: int) -> None:
    names = sorted(set(labels))
    number = {name: n for n, name in enumerate(names)}
    # Numbers that train.csv never uses, in another order: mixing the two label spaces gives no match instead of a wrong one.
    shuffled = sorted(names, key=lambda name: (seed_of(seed, "index label", name), name))
    index_number = {name: len(names) + n for n, name in enumerate(shuffled)}
    train, index, test = (np.flatnonzero(split.splits == name) for name in ("train", "index", "test"))
    images = {name: " ".join(ids[index[labels[index] == name]]) for name in names}

    write_csv(folder / "train.csv", pd.DataFrame({"id": ids[train], "landmark_id": [number[name] for name in labels[train]]}))
    write_csv(folder / "index.csv", pd.DataFrame({"id": ids[index]}))
    write_csv(folder / "test.csv", pd.DataFrame({"id": ids[test]}))
    write_csv(
        folder / "retrieval_solution.csv",
        pd.DataFrame({"id": ids[test], "images": [images[name] for name in labels[test]], "Usage": split.usages[test]}),
    )
    write_csv(
        folder / "index_image_to_landmark.csv",
        pd.DataFrame({"id": ids[index], "landmark_id": [index_number[name] for name in labels[index]]}),
    )
    write_csv(
        folder / "landmarks.csv",
        pd.DataFrame(
            {"landmark_id": range(len(names)), "name": list(map(writable, names)), "in_train": [name in split.trained for name in names]}
        ),
    )
    known = [name in split.trained for name in labels[test]]
    groups = ["trained landmark" if trained else "held-out landmark" for trained in known]
    write_csv(folder / "query_groups.csv", pd.DataFrame({"id": ids[test], "group": groups}))
    shown = [str(number[name]) if trained else "" for name, trained in zip(labels[test], known, strict=True)]
    write_recognition_solution(folder / "recognition_solution.csv", ids[test], shown, split.usages[test])
