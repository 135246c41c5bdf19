"""A user's own photos, sorted into one folder for each landmark."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from landmarks.datasets.images import PHOTO_SUFFIXES
from landmarks.datasets.walk import files_below
from landmarks.errors import UserError
from landmarks.progress import say

LAYOUT = "lay the photos out as FOLDER/landmark name/photo.jpg (jpg, png or webp), two landmarks or more; dataset.folder=FOLDER"


@dataclass(frozen=True)
class Photo:
    """A picture file of `size` bytes; `name` is its path below the dataset folder, whose first part is the landmark."""

    path: Path
    name: str
    size: int
    modified: int  # ns since the epoch

    @property
    def label(self) -> str:
        """The landmark's folder."""
        return self.name.split("/", 1)[0]


def find_photos(source: Path) -> tuple[list[Photo], dict[str, int]]:
    """The photos below `source`, in order of name, and the number of ignored files of each kind, which is printed.

    Raises UserError where the photos are not in at least two landmark folders.
    """
    if not source.is_dir():
        raise UserError("the photo folder does not exist", where=source, next=LAYOUT)
    photos: list[Photo] = []
    ignored: Counter[str] = Counter()
    for name, is_file in files_below(source, once=True):
        path = source / name
        if not is_file:
            ignored["no regular file"] += 1
        elif any(part.startswith(".") for part in name.split("/")):
            ignored["hidden"] += 1
        elif path.suffix.lower() not in PHOTO_SUFFIXES:
            ignored[path.suffix.lower() or "no suffix"] += 1
        elif "/" not in name:
            ignored["photo in no landmark folder"] += 1
        else:
            facts = path.stat()
            photos.append(Photo(path, name, facts.st_size, facts.st_mtime_ns))
    if ignored:
        say(f"import: ignored {ignored.total()} files: " + ", ".join(f"{n} {kind}" for kind, n in sorted(ignored.items())))
    labels = {photo.label for photo in photos}
    if len(labels) < 2:
        found = f"all photos are in one landmark folder, '{min(labels)}'" if labels else "no photos in landmark folders"
        raise UserError(found, where=source, next=LAYOUT)
    return sorted(photos, key=lambda photo: photo.name), dict(ignored)
