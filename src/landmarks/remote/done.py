"""Which items of a download are finished: noted by an earlier run, or put into the folder by hand."""

from __future__ import annotations

from pathlib import Path

from landmarks.config import DatasetSettings
from landmarks.datasets.images import require_images
from landmarks.errors import UserError
from landmarks.progress import say
from landmarks.reading import read_text
from landmarks.remote.items import Item
from landmarks.store.files import write_json
from landmarks.store.json_files import parse_object
from landmarks.store.tables import read_ids, read_train


class Done:
    """A note for each item that is unpacked and checked; it counts as long as the table, or the split's folder, exists.

    dataset  the dataset's folder and its training table
    work     the folder in which the notes are kept, in `done`
    """

    def __init__(self, dataset: DatasetSettings, work: Path):
        self.dataset, self.folder = dataset, work / "done"
        self._notes = {path.name.removesuffix(".json"): _read(path) for path in sorted(self.folder.glob("[!.]*.json"))}

    def has(self, item: Item) -> bool:
        """Whether the item is finished; training photos of which not all were kept are those of one training table only."""
        note = self._notes.get(item.name)
        if note is None or note.get("table", self.dataset.train_table) != self.dataset.train_table:
            return False
        return (self.dataset.folder / (item.name if item.header else item.folder)).exists()

    def size(self, item: Item) -> int | None:
        """Bytes of the item as noted, else as published."""
        return self._notes[item.name]["size"] if self.has(item) else item.about

    def note(self, item: Item, size: int, files: int) -> None:
        """Note an item of `size` bytes as unpacked into `files` files and checked."""
        self._write(item, {"size": size, "files": files, "from": item.subject.where}, of_table=item.share < 1)

    def note_found(self, item: Item, size: int) -> None:
        """Note an item that was put there by hand; training photos are those that the current training table lists."""
        if not self.has(item):
            self._write(item, {"size": size, "from": "put there by hand"}, of_table=item.folder == "train")

    def _write(self, item: Item, note: dict, of_table: bool) -> None:
        note |= {"table": self.dataset.train_table} if of_table else {}
        write_json(self.folder / f"{item.name}.json", note)
        self._notes[item.name] = note


def found_by_hand(items: list[Item], done: Done) -> list[Item]:
    """Items whose content is in the dataset folder without a note, so that it is not downloaded a second time.

    A table counts if a file of its name exists; the photos of a split if all that its table lists exist; a competition or data set of
    Kaggle if the tables exist and nothing has been downloaded into the folder yet.
    """
    dataset = done.dataset
    if not dataset.folder.is_dir():
        return []
    fresh = not done.folder.exists()
    found = [item for item in items if item.header and fresh and (dataset.folder / item.name).is_file()]
    for split in sorted({item.folder for item in items if item.folder}):
        archives = [item for item in items if item.folder == split]
        if not any(done.has(item) for item in archives) and _has_all_photos(dataset, split):
            say(f"download: all {split} photos are in {dataset.folder} already")
            found += archives
    if fresh and all((dataset.folder / name).is_file() for name in (dataset.train_table, "index.csv", "test.csv")):
        found += [item for item in items if item.subject.kaggle]
    return [item for item in found if not done.has(item)]


def _has_all_photos(dataset: DatasetSettings, split: str) -> bool:
    if not (dataset.folder / split).is_dir():
        return False
    try:
        ids = read_train(dataset.folder / dataset.train_table).ids if split == "train" else read_ids(dataset.folder / f"{split}.csv")
        require_images(dataset.folder, split, ids, dataset.pictures_anywhere)
    except UserError:
        return False
    return True


def _read(path: Path) -> dict:
    try:
        return parse_object(read_text(path), {"size": int}, {"table": str})
    except ValueError:
        raise UserError("not a note of a download", where=path, next="delete it: that item is fetched again") from None
