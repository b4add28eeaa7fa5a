"""Closed candles and their signals: a ring for every reader, and a file for the evaluation.

A candle is noted when it closes and dealt with after the quotes are out. The file is never synced, and a disk that
refuses it costs candles: what is lost are candles, not money. It goes on in a new file at 64 MB; four before it stay.
"""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from domain.clock import Clock
from runtime.continued import FILE_BYTES_MAX, FILES_KEPT
from runtime.line_file import LineFile
from shm.ring import RingWriter
from trading.signals.candle_log import CandleLine, CandleLog, candle_line, mid_after_previous
from trading.signals.candles import candle_index


class CandleNotes:
    """Candles of all desks of a strategy, in the order in which they closed."""

    def __init__(self, ring: RingWriter, path: Path, clock: Clock) -> None:
        self._ring = ring
        self._path = path
        self._clock = clock
        self._noted: list[tuple[int, str, npt.NDArray[np.void]]] = []
        self._logs: dict[str, CandleLog] = {}
        self._file: LineFile | None = None

    def note(self, row: int, instrument: str, signals: npt.NDArray[np.void]) -> None:
        """Keep a copy of the signals, a SIGNALS record of shape (1,), as a candle has left them."""
        self._noted.append((row, instrument, signals.copy()))

    def write(self) -> None:
        """Publish and log what was noted."""
        if self._noted:
            to_realtime_ns = self._clock.realtime_ns() - self._clock.monotonic_ns()
            for row, instrument, signals in self._noted:
                closed_ns = int(signals["candle_time_ns"][0][candle_index(signals[0], 0)])
                line = candle_line(instrument, signals, closed_ns + to_realtime_ns)
                self._publish(row, closed_ns, line)
                self._append(self._logs.setdefault(instrument, CandleLog()).take(line, mid_after_previous(signals)))
            self._noted.clear()

    def close(self) -> None:
        """Write the lines still waiting for later mids, as they are, and close the file."""
        for log in self._logs.values():
            self._append(log.end())
        if self._file is not None:
            self._file.close()
            self._file = None

    def _publish(self, row: int, closed_ns: int, line: CandleLine) -> None:
        scratch = self._ring.scratch
        scratch["instrument"] = row
        scratch["close_time_ns"] = closed_ns
        scratch["close_realtime_ns"] = line.time
        for field in _SHARED:
            value = getattr(line, field)
            scratch[field] = math.nan if value is None else value
        self._ring.publish()

    def _append(self, lines: list[CandleLine]) -> None:
        if not lines:
            return
        if self._file is None:
            self._file = LineFile(self._path, bytes_max=FILE_BYTES_MAX, kept=FILES_KEPT)
        self._file.append(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


_SHARED = (
    "candle", "is_fresh", "is_warm", "open", "high", "low", "close", "bought", "sold", "mid", "momentum", "reversal",
    "exhaustion", "flow_imbalance", "trend", "mean_reversion", "user_signal", "volatility", "adx",
    "trade_intensity_per_s",
)  # fmt: skip
