"""The published files of Google Landmarks v2 (github.com/cvdfoundation/google-landmark): their addresses and sizes."""

from __future__ import annotations

import re

from landmarks.config import DownloadSettings
from landmarks.errors import UserError, without_credentials
from landmarks.remote.archives import DamagedArchive
from landmarks.remote.faults import Subject
from landmarks.remote.items import Item
from landmarks.remote.transfer import plain

ARCHIVES = {"train": 500, "index": 100, "test": 20}
PUBLISHED_BYTES = {"train": 1_000_000_000, "index": 850_000_000, "test": 500_000_000}  # of one archive, about
IMAGES = {"train.csv": 4_132_914, "train_clean.csv": 1_580_470}
SOLUTIONS = {"retrieval_solution_v2.1.csv": "id,images,Usage", "recognition_solution_v2.1.csv": "id,landmarks,Usage"}
# The tables that this project reads, and columns by which a table is distinguished from an error page.
_TABLES = {"index": ["index.csv"], "test": ["test.csv", *SOLUTIONS]}
_COLUMNS = {"train.csv": "id,landmark_id", "train_clean.csv": "landmark_id,images", **SOLUTIONS}


def gldv2_items(settings: DownloadSettings, train_table: str) -> list[Item]:
    """The tables first, then the archives of photos, split by split, small splits first.

    Raises UserError for a training table that is not published.
    """
    url, splits = settings.gldv2_url.rstrip("/"), settings.gldv2
    if "train" in splits and train_table not in IMAGES:
        raise UserError(
            f"{train_table} is no table of Google Landmarks v2", where="dataset.train_table", next="train.csv or train_clean.csv"
        )
    chosen = [split for split in ("test", "index", "train") if split in splits]
    tables = [name for split in chosen for name in _TABLES.get(split, [train_table])]
    share = IMAGES[train_table] / IMAGES["train.csv"] if settings.photos == "listed" and "train" in splits else 1.0
    return [_table(url, name) for name in tables] + [
        _archive(url, split, number, share if split == "train" else 1.0) for split in chosen for number in range(ARCHIVES[split])
    ]


def _table(url: str, name: str) -> Item:
    place = f"{url}/{'ground_truth' if 'solution' in name else 'metadata'}/{name}"
    return Item(
        name, "tables of Google Landmarks v2", Subject(name, without_credentials(place)), plain(place), header=_COLUMNS.get(name, "id")
    )


def _archive(url: str, split: str, number: int, share: float) -> Item:
    file = f"images_{number:03d}"
    place, sum = f"{url}/{split}/{file}.tar", f"{url}/md5sum/{split}/md5.{file}.txt"
    return Item(
        f"{split}-{file}.tar",
        f"{split} photos of Google Landmarks v2",
        Subject(f"{split}/{file}.tar", without_credentials(place)),
        plain(place),
        md5=plain(sum),
        folder=split,
        about=PUBLISHED_BYTES[split],
        share=share,
    )


def md5_in(text: str) -> str:
    """The digest in a file that md5sum wrote. Raises DamagedArchive where there is none."""
    found = re.match(r"([0-9a-f]{32})\b", text)
    if found is None:
        raise DamagedArchive("its md5 file holds no md5")
    return found[1]
