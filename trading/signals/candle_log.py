"""Every closed candle with its signals, and the mid 1, 3, 5 and 10 candles later: what the evaluation is made of.

One candle is one line of JSON. A line is complete when the tenth candle after it has closed; at the end of a run, or
where a gap comes before that, the mids that nobody saw are null.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from trading.signals.candles import candle_index

HORIZONS = (1, 3, 5, 10)  # candles


class CandleLine(msgspec.Struct, kw_only=True):
    """One candle, its signals when it closed, and what became of the mid. Prices $, sizes as trades show them.

    Directed signals are signed: above 0 they expect a rise. `mid_N` is the mid when the N-th candle after it closed.
    """

    instrument: str
    candle: int
    time: int  # Unix ns, when it closed
    is_fresh: bool  # the first after a start or a gap: nothing before it counts
    is_warm: bool
    open: float
    high: float
    low: float
    close: float
    bought: float
    sold: float
    mid: float | None
    momentum: float
    reversal: float
    exhaustion: float
    flow_imbalance: float
    trend: float
    mean_reversion: float
    user_signal: float
    volatility: float
    adx: float
    trade_intensity_per_s: float
    mid_1: float | None = None
    mid_3: float | None = None
    mid_5: float | None = None
    mid_10: float | None = None


class CandleLog:
    """Holds the newest lines of one instrument back until their last mid is known."""

    def __init__(self) -> None:
        self._pending: deque[CandleLine] = deque()

    def take(self, line: CandleLine) -> list[CandleLine]:
        """Take a candle that has just closed; return the lines that nothing more can be added to, oldest first."""
        done = self.end() if line.is_fresh else []
        for age, earlier in enumerate(reversed(self._pending), start=1):
            if age in HORIZONS:
                setattr(earlier, f"mid_{age}", line.mid)
        self._pending.append(line)
        while len(self._pending) > HORIZONS[-1]:
            done.append(self._pending.popleft())
        return done

    def end(self) -> list[CandleLine]:
        """Return the lines held back, as they are."""
        done = list(self._pending)
        self._pending.clear()
        return done


def read_candle_lines(path: Path) -> list[CandleLine]:
    """Return the lines of a log, in order; a last line that a crash has cut short is left out.

    Raises:
        ValueError: naming the line that is no candle.
    """
    decoder = msgspec.json.Decoder(CandleLine)
    lines = path.read_bytes().split(b"\n")
    found = []
    for number, text in enumerate(lines[:-1], start=1):
        try:
            found.append(decoder.decode(text))
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}:{number}: expected a candle: {error}") from None
    return found


def candle_line(instrument: str, signals: npt.NDArray[np.void], time_ns: int) -> CandleLine:
    """Return the newest closed candle of a SIGNALS record, shape (1,), which closed at `time_ns` (Unix ns)."""
    now = signals[0]
    i = candle_index(now, 0)
    return CandleLine(
        instrument=instrument,
        candle=int(now["candles"]),
        time=time_ns,
        is_fresh=bool(now["fresh_candles"] == 1),
        is_warm=bool(now["is_warm"]),
        open=float(now["candle_open"][i]),
        high=float(now["candle_high"][i]),
        low=float(now["candle_low"][i]),
        close=float(now["candle_close"][i]),
        bought=float(now["candle_bought"][i]),
        sold=float(now["candle_sold"][i]),
        mid=float(now["mid"]) if now["mid"] > 0.0 else None,
        momentum=float(now["momentum"]),
        reversal=float(now["reversal"] * now["reversal_direction"]),
        exhaustion=float(now["exhaustion"] * now["exhaustion_direction"]),
        flow_imbalance=float(now["flow_imbalance"]),
        trend=float(now["trend"]),
        mean_reversion=float(now["mean_reversion"]),
        user_signal=float(now["user_signal"]),
        volatility=float(now["volatility"]),
        adx=float(now["adx"]),
        trade_intensity_per_s=float(now["trade_intensity_per_s"]),
    )
