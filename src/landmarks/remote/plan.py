"""The plan of a download: what is to be fetched, its size, what is finished, and whether it fits on the disk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import requests

from landmarks.errors import UserError
from landmarks.progress import progress
from landmarks.quantities import format_bytes
from landmarks.remote.archives import DamagedArchive, missing_bytes, opened
from landmarks.remote.faults import Subject, explain, is_offline, with_retries
from landmarks.remote.items import Item
from landmarks.remote.transfer import Address, fetched, size_of
from landmarks.store.disk import free_bytes

PARALLEL_REQUESTS = 16  # for sizes


@dataclass(frozen=True)
class Planned:
    """An item of the plan.

    size   bytes, None = unknown
    exact  the server reported the size
    have   bytes that have been fetched
    done   unpacked and checked
    """

    item: Item
    size: int | None
    exact: bool
    have: int
    done: bool


@dataclass(frozen=True)
class Plan:
    """All items, to be brought into `folder` by way of `work`, `parallel` at a time."""

    folder: Path
    work: Path
    parallel: int
    planned: list[Planned]

    @property
    def missing(self) -> list[Planned]:
        """The items that are not done."""
        return [one for one in self.planned if not one.done]

    @property
    def to_fetch(self) -> int:
        """Bytes to fetch, as far as sizes are known."""
        return sum(max(0, (one.size or 0) - one.have) for one in self.missing)

    @property
    def fetched(self) -> int:
        """Bytes of the missing items that have been fetched."""
        return sum(one.have for one in self.missing)

    @cached_property  # it may list an archive of a million photos
    def disk(self) -> int:
        """Bytes that are still needed on the disk, at the worst moment."""
        archives = [max(0, (one.size or 0) - one.have) for one in self.missing if not one.item.header]
        return disk_at_worst(sum(self._unpacked(one) for one in self.missing), archives, self.parallel)

    @property
    def free(self) -> int:
        return free_bytes(self.folder)

    def _unpacked(self, one: Planned) -> float:
        if one.item.header:
            return (one.size or 0) - one.have
        archive = self.work / one.item.name
        if not archive.exists():
            return one.item.unpacked(one.size)
        try:  # fetched, and perhaps partly unpacked
            with opened(archive) as contents:
                return one.item.unpacked(missing_bytes(contents.entries, self.folder / one.item.folder))
        except (DamagedArchive, UserError):
            return one.item.unpacked(one.size)

    def lines(self) -> list[str]:
        """The plan as printed, line by line."""
        rows = [("what", "files", "there", "to fetch", "size")]
        for group in dict.fromkeys(one.item.group for one in self.planned):
            members = [one for one in self.planned if one.item.group == group]
            missing = [one for one in members if not one.done]
            fetch = sum(max(0, (one.size or 0) - one.have) for one in missing)
            rows.append((group, str(len(members)), str(len(members) - len(missing)), _size(fetch, missing), _size(None, members)))
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        table = [
            "  "
            + "  ".join(
                cell.ljust(width) if not column else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        known = all(one.size is not None for one in self.missing)
        fits = "does not fit" if self.disk > self.free else "fits" if known else "fits, as far as sizes are known"
        return [
            f"download into {self.folder}",
            *table,
            f"  to fetch: {_size(self.to_fetch, self.missing)}",
            f"  disk: {self.needed} (unpacked, and {self.parallel} archives at a time), {format_bytes(self.free)} free: {fits}",
        ]

    @property
    def needed(self) -> str:
        """The disk that is needed, in words."""
        known = all(one.size is not None for one in self.missing)
        return f"{'' if known else 'at least '}{format_bytes(self.disk)} needed"

    def space_fault(self) -> UserError | None:
        """The error of a download that does not fit on the disk; None where it fits, as far as sizes are known."""
        if self.disk <= self.free:
            return None
        return UserError(
            f"it does not fit: {self.needed}, {format_bytes(self.free)} free",
            where=self.folder,
            next="dataset.folder=ANOTHER disk, or fewer splits in download.gldv2",
        )


def disk_at_worst(unpacked: float, archives: list[int], parallel: int) -> int:
    """Bytes needed when all is unpacked and the `parallel` largest archives have not been deleted yet."""
    return int(unpacked + sum(sorted(archives, reverse=True)[:parallel]))


def make_plan(items: list[Item], there: dict[str, int | None], folder: Path, work: Path, parallel: int) -> tuple[Plan, list[UserError]]:
    """Ask the servers for the sizes of all items that are not done; returns the plan and the errors that prevent the download.

    there  item name -> its size in bytes (None: unknown), for items that are done or were put there by hand
    Where a server does not answer, the published sizes are used.
    """
    asked = [(item.address, item.subject) for item in items if item.name not in there and item.address is not None]
    names = [item.name for item in items if item.name not in there and item.address is not None]
    faults: list[UserError] = []
    with ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
        sizes = there | dict(zip(names, _ask_all(pool, asked, faults), strict=True))
    planned = []
    for item in items:
        size, done = sizes.get(item.name), item.name in there
        planned.append(
            Planned(item, item.about if size is None else size, size is not None, 0 if done else fetched(work / item.name), done)
        )
    return Plan(folder, work, parallel, planned), faults


def _ask_all(pool: ThreadPoolExecutor, asked: list[tuple[Address, Subject]], faults: list[UserError]) -> list[int | None]:
    """The size of each file; the first is asked for alone, without retries, so that a missing network is noticed at once."""
    sizes: list[int | None] = []
    try:
        sizes += [_ask(*one, retry=False) for one in asked[:1]]
        sizes += progress(pool.map(lambda one: _ask(*one), asked[1:]), "ask for sizes", "file", total=max(0, len(asked) - 1))
    except UserError as error:
        faults.append(error)
    return sizes + [None] * (len(asked) - len(sizes))


def _ask(address: Address, subject: Subject, retry: bool = True) -> int | None:
    try:
        return size_of(address)
    except requests.RequestException as error:
        if not retry and is_offline(error):
            raise explain(error, subject) from None
        return with_retries(lambda: size_of(address), subject)


def _size(count: int | None, members: list[Planned]) -> str:
    if count is None:
        count = sum(one.size or 0 for one in members)
    if any(one.size is None for one in members):
        return f"{format_bytes(count)} + ?" if count else "?"
    return format_bytes(count) if all(one.exact for one in members) else f"about {format_bytes(count)}"
