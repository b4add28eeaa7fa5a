"""A ring of trades and the tape that records it, for tests without processes."""

from __future__ import annotations

from pathlib import Path

from actors.recorder.tape import Gap, Tape
from domain.records import TRADE
from runtime.recordings.columns import KINDS_BY_NAME
from runtime.recordings.files import HOUR_NS
from shm.ring import RingReader, RingWriter
from shm.segment import Segment

PRICE = TRADE.word("price")
STAMP = TRADE.word("receive_realtime_ns")
HOUR_11 = 498_899 * HOUR_NS  # 2026-11-30T11
TRADES = KINDS_BY_NAME["trades"]


class TapeRig:
    """Publishes trades and records them."""

    def __init__(self, ring: Segment, run: Path) -> None:
        self.run = run
        self.folder = run / "recordings" / "trades"
        self.folder.mkdir(parents=True)
        self.ring = ring
        self.writer = RingWriter(ring)
        self.gaps: list[Gap] = []

    def tape(self, life: int = 1, start: int = 0) -> Tape:
        reader = RingReader(self.ring, start)
        return Tape(TRADES, "trades", "market_data", reader, self.folder, life, ["BTC-PERPETUAL"], self.gaps.append)

    def publish(self, *prices: float, hour: int = 0) -> None:
        for price in prices:
            self.writer.floats[PRICE] = price
            self.writer.ints[STAMP] = HOUR_11 + hour * HOUR_NS
            self.writer.publish()
