"""Delivers one item of a download: fetched, checked, unpacked, checked again, noted; only then is the archive deleted."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from landmarks.errors import UserError
from landmarks.progress import progress, say
from landmarks.reading import open_regular, read_bytes
from landmarks.remote.archives import DamagedArchive, refuse_link, require_own, unpack
from landmarks.remote.credentials import HOW_TO
from landmarks.remote.done import Done
from landmarks.remote.faults import AGAIN, Subject, explain
from landmarks.remote.gldv2 import md5_in
from landmarks.remote.items import Item
from landmarks.remote.transfer import Address, TransferControl, discard, fetch, md5_of

DELIVERIES = 3  # a file that arrives damaged so often is damaged at its source


def deliver(item: Item, folder: Path, work: Path, done: Done, control: TransferControl, listed: frozenset[str] = frozenset()) -> None:
    """Bring the item into `folder` by way of `work`; an interrupted call is resumed by the next one.

    listed  ids of the training photos to keep, for items with share < 1
    Raises UserError with the next step where something prevents it; Stopped after control.stop().
    """
    archive = work / item.name
    try:
        for _ in range(DELIVERIES):
            if not archive.exists():
                _fetch(item, archive, control)
            try:
                size = archive.stat().st_size
                if item.header is not None:
                    files = _place_table(item, item.header, archive, folder, work)
                else:
                    files = _unpack(item, archive, folder, work, control, listed)
            except DamagedArchive as damage:
                say(f"{item.name}: {damage}; fetching it again")
                control.moved(-size)
                discard(archive)
                continue
            done.note(item, size, files)
            clear(item, work)
            return
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise explain(error, item.subject) from None
    raise UserError(
        f"{item.name} arrives damaged, {DELIVERIES} times so far",
        where=item.subject.where,
        next=f"report it to its publisher, or {AGAIN}",
    )


def _fetch(item: Item, archive: Path, control: TransferControl) -> None:
    if item.address is None:
        raise UserError(f"{item.subject.name} cannot be fetched without a Kaggle credential", where=item.subject.where, next=HOW_TO)
    fetch(item.address, archive, item.subject, control)


def clear(item: Item, work: Path) -> None:
    """Delete the item's files in `work`."""
    discard(work / item.name)
    for name in (f"{item.name}.md5", f"{item.name}.begun", f"{item.name}.aside"):
        (work / name).unlink(missing_ok=True)


def _place_table(item: Item, header: str, archive: Path, folder: Path, work: Path) -> int:
    with open_regular(archive) as file:
        line = file.readline(200).decode("utf-8-sig", "replace").strip()
    columns = line.replace('"', "").split(",")
    if not set(header.split(",")) <= set(columns):
        raise DamagedArchive(f"its first line is '{line[:60]}', not '{header}'")
    place = folder / item.name
    if os.path.lexists(place) and not filecmp.cmp(archive, place, shallow=False):
        raise UserError("another file of this name is there", where=place, next="move yours away, then run this again")
    aside = work / f"{item.name}.aside"
    shutil.copyfile(archive, aside)  # the download stays until it is noted as done
    os.replace(aside, place)
    return 1


def _unpack(item: Item, archive: Path, folder: Path, work: Path, control: TransferControl, listed: frozenset[str]) -> int:
    place = folder / item.folder
    if item.md5 is not None:
        _require_md5(item.md5, archive, work / f"{item.name}.md5", replace(item.subject, name=f"md5 of {item.subject.name}"), control)
    if item.folder:
        refuse_link(place)
    begun = work / f"{item.name}.begun"
    if not begun.exists():
        require_own(archive, place)
        begun.touch()
    keep = (lambda name: Path(name).stem in listed) if item.share < 1 else (lambda name: True)
    # A single archive of tens of gigabytes gets a progress bar of its own; one of many does not.
    with progress(None, f"unpack and check {item.name}", "B", hidden=bool(item.folder), scaled=True) as bar:

        def moved(count: int) -> None:
            control.check()
            bar.update(count)

        def watch(total: int) -> Callable[[int], None]:
            bar.reset(total)
            return moved

        files, _ = unpack(archive, place, work / f"{item.name}.aside", watch, keep)
    return files


def _require_md5(md5: Address, archive: Path, sums: Path, subject: Subject, control: TransferControl) -> None:
    if not sums.exists():
        fetch(md5, sums, subject, control)
    try:
        expected = md5_in(read_bytes(sums).decode("utf-8", "replace"))
        if md5_of(archive) != expected:
            raise DamagedArchive("its md5 is not the published one")
    except DamagedArchive:
        sums.unlink()
        raise
