"""How a journal is opened: what is good of its files is replayed, what cannot be believed is cut off and kept aside.

After damage the journal goes on in a new file, at a place after the bytes that are not believed: someone else may have
read them while they were good. No place in the row of entries ever means two of them, therefore, and who follows the
journal from place to place never waits for one that does not come.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import NamedTuple

from actors.execution import journal_files
from actors.execution.journal_format import (
    HEADER_BYTES,
    HEADER_BYTES_MAX,
    Contents,
    NewerVersionError,
    Start,
    count_frames,
    read,
)
from actors.execution.journal_state import JournalState
from domain.errors import UserError
from runtime.sealed_fills import FillsFile


class Damage(NamedTuple):
    """Bytes at the end of a journal that cannot be believed, cut off and kept in `kept_in` (None = nowhere).

    Attributes:
        entries: about so many, one at least: their numbers are left out.
    """

    offset: int
    size_bytes: int
    kept_in: Path | None
    entries: int


class Place(NamedTuple):
    """Number and place of an entry in the row of all."""

    number: int
    place: int


class Opened(NamedTuple):
    """A journal whose good entries were replayed, ready to be written.

    Attributes:
        state: what they add up to.
        fills_lost: the file of sealed fills is not what the journal says: it may tell some again.
        damage: what was cut off; None = nothing.
        start: of the present file; None = nothing of it is good, it is to be begun.
        end: of the present file: where the next entry goes, if it goes on.
        next: of the next entry; after damage it is that of a new file.
        is_first: nothing was ever written: it begins as the first file of a row.
    """

    state: JournalState
    damage: Damage | None
    start: Start | None
    end: int
    next: Place
    is_first: bool
    fills_lost: bool = False


def open_files(path: Path, fd: int, fills: FillsFile) -> Opened:
    """Replay the journal whose present file is open as `fd`.

    Args:
        fills: the file of sealed fills beside it.

    Raises:
        UserError: a later program wrote it.
        OSError: it cannot be read.
    """
    content = journal_files.read_all(fd)
    journal_files.tidy(path)
    try:
        opened = _replayed(path, fd, content)
    except NewerVersionError as error:
        raise UserError(f"{path}: {error}: go on with the version that wrote it") from None
    sealed = fills.load(opened.state.sealed)
    if sealed is None:
        opened.state.sealed = fills.sealed
        return opened._replace(fills_lost=True)
    opened.state.fills.update(sealed)
    return opened


def new_file_id() -> int:
    return secrets.randbits(64)


def _replayed(path: Path, fd: int, content: bytes) -> Opened:
    contents = read(content)
    start = contents.start
    state = JournalState(is_whole=start is None or not start.is_continued)
    state.take_all(contents.entries)
    if start is not None and state.is_whole:
        after = Place(start.number + len(contents.entries), start.place_of(contents.end))
        return Opened(state, *_without_rest(path, fd, content, contents.end, start, after), is_first=False)
    # Damaged before all that the file took over was read: the file before it has that, too.
    before = _contents_before(path, start)
    after = _begin(start)
    if before is not None and before.start is not None:
        state.take_all(before.entries)
        after = Place(before.start.number + len(before.entries), before.start.place_of(before.end))
    is_first = before is None and not content
    return Opened(state, *_without_rest(path, fd, content, 0, None, after), is_first=is_first)


def _without_rest(
    path: Path, fd: int, content: bytes, end: int, start: Start | None, after: Place
) -> tuple[Damage | None, Start | None, int, Place]:
    """Cut off what comes after `end`, and leave its numbers and places out; `after` is of the entry after the good."""
    if end == len(content):
        return None, start, end, after
    first_frame = end or (HEADER_BYTES if after == _begin(None) else HEADER_BYTES_MAX)
    lost = max(count_frames(content, first_frame, after.number), 1)  # something was there, be it half an entry
    kept_in = journal_files.keep_aside(path, end, content[end:])
    os.ftruncate(fd, end)
    rest_bytes = len(content) - end
    return Damage(end, rest_bytes, kept_in, lost), start, end, Place(after.number + lost, after.place + rest_bytes)


def _begin(start: Start | None) -> Place:
    return Place(1, HEADER_BYTES) if start is None else Place(start.number, start.place)


def _contents_before(path: Path, start: Start | None) -> Contents | None:
    """Return what the file before the one that begins with `start` tells; None when there is none."""
    earlier = journal_files.earlier_files(path, start)
    return read(earlier[-1].path.read_bytes()) if earlier else None
