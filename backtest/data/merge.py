"""Several streams of one recording, each in its own files, as one stream by local time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from backtest.data.events import RAW, RawEvents


class _Lane:
    def __init__(self, blocks: Iterator[RawEvents]) -> None:
        self._blocks = blocks
        self.rows = np.zeros(0, RAW)
        self.is_open = True

    def fill(self) -> None:
        """Read on until there is a row, or the lane has ended."""
        while self.is_open and not len(self.rows):
            block = next(self._blocks, None)
            if block is None:
                self.is_open = False
            else:
                self.rows = block

    def take_until(self, time_ns: int) -> RawEvents:
        ready = self.rows["local_time_ns"] <= time_ns
        taken, self.rows = self.rows[ready], self.rows[~ready]
        return taken


def merged(streams: Sequence[Iterator[RawEvents]]) -> Iterator[RawEvents]:
    """Yield the rows of all streams by local time; at equal times in the order of the streams."""
    if len(streams) == 1:
        yield from streams[0]
        return
    lanes = [_Lane(stream) for stream in streams]
    while True:
        for lane in lanes:
            lane.fill()
        ends = [int(lane.rows["local_time_ns"].max()) for lane in lanes if lane.is_open]
        if not ends:
            return
        rows = np.concatenate([lane.take_until(min(ends)) for lane in lanes])
        yield rows[np.argsort(rows["local_time_ns"], kind="stable")]
