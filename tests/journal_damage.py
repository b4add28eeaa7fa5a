"""Journals that are cut or bit-flipped at random places, and what must then be read of them."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from actors.execution.journal import Journal
from actors.execution.journal_format import (
    HEADER_BYTES,
    Answered,
    Began,
    Carried,
    Entry,
    Filled,
    Mended,
    Sent,
    frame,
    header,
)
from actors.execution.read_journal import read_journal
from domain.clock import SimClock
from domain.order import Side
from trading.orders.config import JournalConfig

ENTRIES_MAX = 24


class Damaged(NamedTuple):
    """A journal with a fault.

    Attributes:
        kind: what was done to it.
        content: of the file.
        good: the entries before the first damaged byte: no more and no fewer may be believed.
        whole: the bytes of header and good entries.
    """

    kind: str
    content: bytes
    good: list[Entry]
    whole: bytes

    @property
    def is_visible(self) -> bool:
        """Whether there are bytes that cannot be believed; a cut between two entries leaves none."""
        return self.content not in (b"", self.whole)


def sample_entries(rng: random.Random, count: int = 0) -> list[Entry]:
    """Return entries of every kind, in a random order and with random values."""
    return [_sample_entry(rng, number) for number in range(count or rng.randint(1, ENTRIES_MAX))]


def _sample_entry(rng: random.Random, number: int) -> Entry:
    now = (rng.randrange(1 << 62), rng.randrange(1 << 50))
    price, size = Decimal(rng.randrange(10**7)) / 10, Decimal(rng.randrange(1, 10**6)) / 1000
    kind = rng.randrange(6)
    if kind == 0:
        return Sent(*now, "CANCEL", number, "BTC-PERPETUAL")
    if kind == 1:
        return Answered(*now, "ACCEPTED", number, True, f"v{number}", rng.randrange(10**6), 5, 0, now[0])
    if kind == 2:
        return Filled(*now, f"t{number}", "v", 0, number, True, "BTC-PERPETUAL", "buy", price, size, now[0])
    if kind == 3:
        return Began(*now, rng.randrange(9), rng.randrange(1 << 22))
    if kind == 4:
        return Mended(*now, "No space left on device" * rng.randint(1, 9), 0)
    return Sent(*now, "INSERT", number, "BTC-PERPETUAL", "sell", price, size, rng.randrange(1 << 40))


def damaged(rng: random.Random, entries: list[Entry]) -> Damaged:
    """Return a journal of these entries, damaged at a random place in a random way."""
    file_id = rng.getrandbits(64)
    content = bytearray(header(file_id))
    ends = []
    for number, entry in enumerate(entries, 1):
        content += frame(file_id, number, entry)
        ends.append(len(content))
    kind = rng.choice(("cut", "flip", "flips", "zeros", "garbage after"))
    result = _damaged(rng, kind, bytes(content))
    first = _first_difference(bytes(content), result)
    count = sum(end <= first for end in ends)
    return Damaged(kind, result, entries[:count], bytes(content[: ends[count - 1] if count else HEADER_BYTES]))


def _damaged(rng: random.Random, kind: str, content: bytes) -> bytes:
    size = len(content)
    if kind == "cut":
        return content[: rng.randrange(size)]
    if kind == "zeros":  # blocks that never reached the disk
        first = rng.randrange(size)
        return content[:first] + bytes(size - first)
    if kind == "garbage after":
        return content + rng.randbytes(rng.randint(1, 200))
    flipped = bytearray(content)
    for bit in {rng.randrange(8 * size) for _ in range(1 if kind == "flip" else rng.randint(2, 9))}:
        flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def _first_difference(before: bytes, after: bytes) -> int:
    both = zip(before, after, strict=False)
    return next((i for i, (a, b) in enumerate(both) if a != b), min(len(before), len(after)))


def judge(path: Path, damage: Damaged) -> list[str]:
    """Open a damaged journal, write on, open it again; return what was not as it must be."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    path.write_bytes(damage.content)
    wrong = []
    if read_journal(path) != damage.good:
        wrong.append(f"{damage.kind}: read other than the {len(damage.good)} good entries")
    journal = Journal(path, SimClock(1, 2), JournalConfig(sync="never"))
    journal.order("INSERT", 1, "BTC-PERPETUAL", Side.BUY, Decimal(1), Decimal(2))
    good_fills = {entry.key for entry in damage.good if isinstance(entry, Filled)}
    fills = journal.state.fills
    if len(fills) != len(good_fills) or not all(key in fills for key in good_fills):
        wrong.append(f"{damage.kind}: {len(fills)} fills were read, {len(good_fills)} are good")
    journal.close()
    after = [entry for entry in read_journal(path) if not isinstance(entry, Carried)]
    if after[: len(damage.good)] != damage.good or len(after) != len(damage.good) + 2:
        wrong.append(f"{damage.kind}: {len(after)} entries after writing on, {len(damage.good) + 2} expected")
    cut = journal.damage
    if cut is not None:
        assert cut.kept_in is not None, "there was room for what was cut off"
        if cut.kept_in.read_bytes() != damage.content[cut.offset :]:
            wrong.append(f"{damage.kind}: what was cut off is not what was kept aside")
        cut.kept_in.unlink()
    elif damage.is_visible:
        wrong.append(f"{damage.kind}: the damage was not noticed")
    again = Journal(path, SimClock(1, 2), JournalConfig(sync="never"))
    if again.damage is not None:
        wrong.append(f"{damage.kind}: still damaged after it was opened")
    again.close()
    return wrong
