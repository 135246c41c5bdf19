"""What is to be fetched, how large it is, what is there already, and whether it fits."""

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
from landmarks.remote.faults import explain, is_offline, patiently
from landmarks.remote.items import Item
from landmarks.remote.transfer import fetched, size_of
from landmarks.store.disk import free_bytes

ASKING = 16  # servers answer this many questions at once


@dataclass(frozen=True)
class Planned:
    """size: bytes, None = nobody knows; exact: the server said so; have: bytes of it that are here; done: unpacked and checked."""

    item: Item
    size: int | None
    exact: bool
    have: int
    done: bool


@dataclass(frozen=True)
class Plan:
    folder: Path
    work: Path
    parallel: int
    planned: list[Planned]

    @property
    def missing(self) -> list[Planned]:
        return [one for one in self.planned if not one.done]

    @property
    def to_fetch(self) -> int:
        return sum(max(0, (one.size or 0) - one.have) for one in self.missing)

    @property
    def fetched(self) -> int:
        return sum(one.have for one in self.missing)

    @cached_property  # it may look into an archive of a million photos
    def disk(self) -> int:
        """Bytes that the disk still has to take, at the worst moment."""
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
        try:  # whole, and perhaps half unpacked
            with opened(archive) as (entries, _):
                return one.item.unpacked(missing_bytes(entries, self.folder / one.item.folder))
        except (DamagedArchive, UserError):
            return one.item.unpacked(one.size)

    def lines(self) -> list[str]:
        """The plan as a person reads it."""
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
        needed = f"{'' if known else 'at least '}{format_bytes(self.disk)} needed"
        return [
            f"download into {self.folder}",
            *table,
            f"  to fetch: {_size(self.to_fetch, self.missing)}",
            f"  disk: {needed} (unpacked, and {self.parallel} archives at a time), {format_bytes(self.free)} free: {fits}",
        ]

    def require_space(self) -> None:
        if self.disk > self.free:
            raise UserError(
                f"it does not fit: {format_bytes(self.disk)} needed, {format_bytes(self.free)} free",
                where=self.folder,
                next="dataset.folder=ANOTHER disk, or fewer splits in download.gldv2",
            )


def disk_at_worst(unpacked: float, archives: list[int], parallel: int) -> int:
    """Bytes: everything unpacked, and of the archives the largest `parallel` beside it."""
    return int(unpacked + sum(sorted(archives, reverse=True)[:parallel]))


def make_plan(items: list[Item], there: dict[str, int | None], folder: Path, work: Path, parallel: int) -> tuple[Plan, list[UserError]]:
    """Ask the servers how large everything is that is not there; also what stands in the way, for which published sizes stand in.

    there: item name -> its size in bytes, of what is unpacked and checked, or put there by hand.
    """
    asked = [item for item in items if item.name not in there and item.address is not None]
    faults: list[UserError] = []
    with ThreadPoolExecutor(ASKING) as pool:
        sizes = dict(zip((item.name for item in asked), _ask_all(pool, asked, faults), strict=True))
    planned = []
    for item in items:
        size = there.get(item.name) if item.name in there else sizes.get(item.name)
        here = item.name in there
        planned.append(
            Planned(item, item.about if size is None else size, size is not None, 0 if here else fetched(work / item.name), here)
        )
    return Plan(folder, work, parallel, planned), faults


def _ask_all(pool: ThreadPoolExecutor, items: list[Item], faults: list[UserError]) -> list[int | None]:
    """One question first: where there is no network, one answer is enough."""
    sizes: list[int | None] = []
    try:
        sizes += [_ask(item, patient=False) for item in items[:1]]
        sizes += progress(pool.map(_ask, items[1:]), "ask for sizes", "file", total=max(0, len(items) - 1))
    except UserError as error:
        faults.append(error)
    return sizes + [None] * (len(items) - len(sizes))


def _ask(item: Item, patient: bool = True) -> int | None:
    try:
        return size_of(item.address)
    except requests.RequestException as error:
        if not patient and is_offline(error):
            raise explain(error, item.subject) from None
        return patiently(lambda: size_of(item.address), item.subject)


def _size(count: int | None, members: list[Planned]) -> str:
    if count is None:
        count = sum(one.size or 0 for one in members)
    if any(one.size is None for one in members):
        return f"{format_bytes(count)} + ?" if count else "?"
    return format_bytes(count) if all(one.exact for one in members) else f"about {format_bytes(count)}"
