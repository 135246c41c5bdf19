"""One item of a download on its way: fetched, checked, unpacked, checked again, noted; only then is the archive deleted."""

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
from landmarks.remote.archives import DamagedArchive, refuse_link, require_own, unpack
from landmarks.remote.done import Done
from landmarks.remote.faults import AGAIN, explain
from landmarks.remote.gldv2 import md5_in
from landmarks.remote.items import Item
from landmarks.remote.transfer import Hands, discard, fetch, md5_of

DELIVERIES = 3  # a file that arrives damaged this many times is damaged at its source


def deliver(item: Item, folder: Path, work: Path, done: Done, hands: Hands, listed: frozenset[str] = frozenset()) -> None:
    """Bring the item into `folder` by way of `work`; cut off at any moment, the next call goes on from there.

    listed: ids of the training photos that are kept, of items of which not all are.
    Raises UserError with the next step for whatever stands in the way; Stopped when `hands` are stopped.
    """
    archive = work / item.name
    try:
        for _ in range(DELIVERIES):
            if not archive.exists():
                fetch(item.address, archive, item.subject, hands)
            try:
                size = archive.stat().st_size
                files = _place_table(item, archive, folder, work) if item.header else _unpack(item, archive, folder, work, hands, listed)
            except DamagedArchive as damage:
                say(f"{item.name}: {damage}; fetching it again")
                hands.moved(-size)
                discard(archive)
                continue
            done.note(item, size, files)
            clear(item, work)
            return
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise explain(error, item.subject) from None
    raise UserError(f"{item.name} arrives damaged, {DELIVERIES} times now", where=item.subject.where, next=f"tell its keeper, or {AGAIN}")


def clear(item: Item, work: Path) -> None:
    """Remove what was needed on the way."""
    discard(work / item.name)
    for name in (f"{item.name}.md5", f"{item.name}.begun", f"{item.name}.aside"):
        (work / name).unlink(missing_ok=True)


def _place_table(item: Item, archive: Path, folder: Path, work: Path) -> int:
    with open(archive, "rb") as file:
        header = file.readline(200).decode("utf-8-sig", "replace").strip()
    columns = header.replace('"', "").split(",")
    if not set(item.header.split(",")) <= set(columns):
        raise DamagedArchive(f"its first line is '{header[:60]}', not '{item.header}'")
    place = folder / item.name
    if os.path.lexists(place) and not filecmp.cmp(archive, place, shallow=False):
        raise UserError("another file of this name is there", where=place, next="move yours away, then run this again")
    aside = work / f"{item.name}.aside"
    shutil.copyfile(archive, aside)  # the archive itself stays until it is noted that it is done
    os.replace(aside, place)
    return 1


def _unpack(item: Item, archive: Path, folder: Path, work: Path, hands: Hands, listed: frozenset[str]) -> int:
    place = folder / item.folder
    if item.md5 is not None:
        _require_md5(item, archive, work / f"{item.name}.md5", hands)
    if item.folder:
        refuse_link(place)
    begun = work / f"{item.name}.begun"
    if not begun.exists():
        require_own(archive, place)
        begun.touch()
    keep = (lambda name: Path(name).stem in listed) if item.share < 1 else (lambda name: True)
    # An archive of tens of gigabytes is unpacked under a bar of its own; one of many is a part of theirs.
    with progress(None, f"unpack and check {item.name}", "B", hidden=bool(item.folder), scaled=True) as bar:

        def moved(count: int) -> None:
            hands.tick()
            bar.update(count)

        def watch(total: int) -> Callable[[int], None]:
            bar.reset(total)
            return moved

        files, _ = unpack(archive, place, work / f"{item.name}.aside", watch, keep)
    return files


def _require_md5(item: Item, archive: Path, sums: Path, hands: Hands) -> None:
    if not sums.exists():
        fetch(item.md5, sums, replace(item.subject, name=f"md5 of {item.subject.name}"), hands)
    try:
        expected = md5_in(sums.read_text(encoding="utf-8", errors="replace"))
        if md5_of(archive) != expected:
            raise DamagedArchive("its md5 is not the published one")
    except DamagedArchive:
        sums.unlink()
        raise
