"""Follows the session's books: when they were not valid, and whether they are the exchange's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shm.attach import Session

Level = tuple[float, float]  # price, size


class Ladders(NamedTuple):
    """The best levels of both sides, best first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Books:
    """The ring of books, as read so far.

    Attributes:
        kept: ladders by the venue's stamp, while `is_keeping`.
        crossed: books that were published as valid with a bid at or above an ask.
    """

    def __init__(self, session: Session) -> None:
        self._ring = session.ring("books")
        self._validity: list[tuple[int, bool]] = []  # monotonic ns, valid from then on
        self.is_keeping = False
        self.kept: dict[int, Ladders] = {}
        self.crossed = 0

    def poll(self) -> None:
        records = self._ring.read()
        if not len(records):
            return
        valid = records["is_valid"] != 0
        before = self._validity[-1][1] if self._validity else not bool(valid[0])
        for index in np.flatnonzero(np.diff(valid.astype(np.int8), prepend=np.int8(before))):
            self._validity.append((int(records["receive_time_ns"][index]), bool(valid[index])))
        both = valid & (records["bid_count"] > 0) & (records["ask_count"] > 0)
        self.crossed += int(np.sum(both & (records["bid_price"][:, 0] >= records["ask_price"][:, 0])))
        if self.is_keeping:
            for record in records[valid]:
                self.kept[int(record["exchange_time_ns"])] = Ladders(_side(record, "bid"), _side(record, "ask"))

    def first_lost_ns(self, since_ns: int) -> int | None:
        """Return when the book was first said not to be valid, from `since_ns` on; None = not yet."""
        times = (time_ns for time_ns, is_valid in self._validity if not is_valid and time_ns >= since_ns)
        return next(times, None)

    def first_valid_ns(self, since_ns: int) -> int | None:
        """Return when the book became valid again after it had not been since `since_ns`; `since_ns` when it always
        was valid; None = it is not valid."""
        if not self._validity or not self._validity[-1][1]:
            return None
        was_lost = False
        for time_ns, is_valid in self._validity:
            if time_ns < since_ns:
                continue
            if is_valid and was_lost:
                return time_ns
            was_lost = was_lost or not is_valid
        return since_ns


def _side(record: np.void, side: str) -> tuple[Level, ...]:
    count = int(record[f"{side}_count"])
    return tuple(zip(record[f"{side}_price"][:count].tolist(), record[f"{side}_size"][:count].tolist(), strict=True))
