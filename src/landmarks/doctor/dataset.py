"""Whether the dataset is complete."""

from __future__ import annotations

from pathlib import Path

from landmarks.command import next_command
from landmarks.config import Config, DatasetSettings, DownloadSettings, PhotosSettings, PlacesSettings
from landmarks.datasets.authors_folder import read_authors_folder
from landmarks.datasets.images import PHOTO_SUFFIXES, missing_images
from landmarks.datasets.solution import find_solution
from landmarks.doctor.check import Check
from landmarks.errors import UserError
from landmarks.quantities import format_bytes
from landmarks.remote.gldv2 import IMAGES, gldv2_items
from landmarks.remote.kaggle_items import kaggle_items
from landmarks.remote.plan import disk_at_worst
from landmarks.store.artefact import MANIFEST
from landmarks.store.disk import free_bytes
from landmarks.store.files import read_array
from landmarks.store.tables import SPLITS, Tables, read_tables

PUBLISHED = {"index": 761_757, "test": 117_577}  # images of Google Landmarks v2.1; train's depend on the table
# Photos of a rendered landmark, by split: the sample's 72 landmarks have 1,162, 846 and 335.
_RENDERED = {"train": 16.2, "index": 11.8, "test": 4.7}


def check_dataset(config: Config) -> tuple[list[Check], dict[str, int] | None]:
    """The checks, and the number of images of each split, None where it is unknown."""
    download = next_command("download") if config.download.wanted else None
    folder = config.dataset.folder
    if config.dataset.source == "sample" and not (folder / MANIFEST).is_file():
        images = {split: round(many * config.sample.landmarks) for split, many in _RENDERED.items()}
        return [Check("dataset", "ok", f"about {sum(images.values())} photos, rendered by the first stage into {folder}")], images
    if config.dataset.source == "photos" and not (config.tables_folder / MANIFEST).is_file():
        return _check_photos(folder, config.photos)
    if config.dataset.kind.is_benchmark and not (config.tables_folder / MANIFEST).is_file():
        return _check_benchmark(config.dataset, config.places, need_pictures=bool(config.models))
    try:
        tables = read_tables(config.tables_folder, config.dataset.train_table)
    except UserError as error:
        return [_absent(config.dataset, config.download, error, download)], _published(config.dataset, config.download)
    images = {split: len(tables.ids(split)) for split in SPLITS}
    check = _check_pictures(tables, download, config.dataset.pictures_anywhere) if config.models else _check_arrays(tables)
    return [check, _check_solution(config.tables_folder, config.dataset.solution)], images


def _check_photos(folder: Path, settings: PhotosSettings) -> tuple[list[Check], dict[str, int] | None]:
    photos = sum(1 for path in folder.glob("*/**/*") if path.suffix.lower() in PHOTO_SUFFIXES) if folder.is_dir() else 0
    if photos == 0:
        return [
            Check("dataset", "missing", f"no photos in {folder}", "lay them out as FOLDER/landmark/photo.jpg; dataset.folder=FOLDER")
        ], None
    shares = {"train": settings.train_share, "test": settings.test_share}
    images = {split: round(share * photos) for split, share in shares.items()}
    images["index"] = photos - sum(images.values())
    return [Check("dataset", "ok", f"{photos} photos in {folder}, not imported yet")], images


def _check_benchmark(dataset: DatasetSettings, places: PlacesSettings, *, need_pictures: bool) -> tuple[list[Check], dict[str, int] | None]:
    try:
        benchmark = read_authors_folder(dataset, places, need_pictures=need_pictures)
    except UserError as error:
        return [Check("dataset", "missing", _in_a_line(error), error.next)], None
    images = {"train": 0, "index": len(benchmark.index), "test": len(benchmark.test)}
    return [Check("dataset", "ok", f"{images['index']:,} index images, {images['test']:,} queries in {dataset.folder}")], images


def _absent(dataset: DatasetSettings, settings: DownloadSettings, error: UserError, download: str | None) -> Check:
    """A dataset without tables: how much is to be downloaded, where that is known, and whether it fits on the disk."""
    items = gldv2_items(settings, dataset.train_table) + kaggle_items(settings, None)
    archives = [item.about or 0 for item in items if not item.header]
    needed = disk_at_worst(sum(item.unpacked(None) for item in items), archives, settings.parallel)
    free = free_bytes(dataset.folder)
    if needed == 0:
        return Check("dataset", "missing", _in_a_line(error), download or error.next)
    found = f"not in {dataset.folder}; it takes about {format_bytes(needed)} (estimate), {format_bytes(free)} free there"
    return Check("dataset", "missing", found, download if needed < free else "dataset.folder=FOLDER on a larger disk")


def _published(dataset: DatasetSettings, settings: DownloadSettings) -> dict[str, int] | None:
    """The number of images in Google Landmarks v2, where all of it is to be downloaded."""
    return PUBLISHED | {"train": IMAGES[dataset.train_table]} if len(settings.gldv2) == 3 else None


def _check_pictures(tables: Tables, download: str | None, anywhere: bool) -> Check:
    counts, missing = [], []
    for split in SPLITS:
        ids = tables.ids(split)
        try:
            absent = missing_images(tables.folder, split, ids, anywhere)
        except UserError as error:
            return Check("dataset", "missing", _in_a_line(error), error.next)
        counts.append(f"{split} {len(ids) - len(absent):,} of {len(ids):,}")
        missing += [f"{split} '{id}'" for id in absent[:1]]
    found = f"{tables.folder}: pictures of {', '.join(counts)}"
    if not missing:
        return Check("dataset", "ok", found)
    return Check(
        "dataset", "missing", f"{found}; first missing: {missing[0]}", download or "complete the dataset, or dataset.folder=ANOTHER"
    )


def _check_arrays(tables: Tables) -> Check:
    for split in SPLITS:
        path, rows = tables.folder / f"{split}.npy", len(tables.ids(split))
        try:
            array = read_array(path, mapped=True)
        except UserError as error:
            return Check("dataset", "missing", _in_a_line(error), f"write {path.name}, one row a row of {tables.path(split).name}")
        if array.ndim != 2 or len(array) != rows:
            found = f"{path}: {array.shape}, not one row for each of {rows} ids"
            return Check("dataset", "missing", found, f"write {path.name} again, one row a row of {tables.path(split).name}")
    return Check(
        "dataset", "ok", f"{tables.folder}: " + ", ".join(f"{split} {len(tables.ids(split)):,}" for split in SPLITS) + " descriptors"
    )


def _check_solution(tables_folder: Path, name: str | None) -> Check:
    try:
        path = find_solution(tables_folder, name)
    except UserError as error:
        return Check("solution", "missing", _in_a_line(error), error.next)
    return Check("solution", "ok", path.name) if path else Check("solution", "note", "none in the dataset folder: nothing will be scored")


def _in_a_line(error: UserError) -> str:
    return error.what if error.where is None else f"{error.where}: {error.what}"
