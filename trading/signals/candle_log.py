"""Every closed candle with its signals, and the mid 1, 3, 5 and 10 candles later: what the evaluation is made of.

A large order trades through many prices before the book that shows it comes. A candle that closes in the middle of
that would foretell what has happened already, so a candle's mid is that of the first book after it, on both ends.

One candle is one line of JSON. It is written when the mid of the tenth candle after it is known; at the end of a run,
or where a gap comes before that, the mids that nobody saw are null.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from trading.signals.candles import candle_index

HORIZONS = (1, 3, 5, 10)  # candles
_PENDING_MAX = 256  # candles that close without any book in between


class CandleLine(msgspec.Struct, kw_only=True):
    """One candle, its signals when it closed, and what became of the mid. Prices $, sizes as trades show them.

    Directed signals are signed: above 0 they expect a rise. `mid` is that of the newest book when it closed, `mid_0`
    of the first book after that, and `mid_N` of the first book after the N-th candle after it.
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
    mid_0: float | None = None
    mid_1: float | None = None
    mid_3: float | None = None
    mid_5: float | None = None
    mid_10: float | None = None


class CandleLog:
    """Holds the newest lines of one instrument back until their last mid is known."""

    def __init__(self) -> None:
        self._pending: list[CandleLine] = []

    def take(self, line: CandleLine, mid_after_previous: float | None) -> list[CandleLine]:
        """Take a candle that has just closed, and the first mid after the candle before it, if a book came between.

        Returns the lines that nothing more can be added to, oldest first.
        """
        if line.is_fresh:
            done = self.end()
        else:
            self._learn(mid_after_previous)
            done = self._complete()
        self._pending.append(line)
        return done

    def end(self) -> list[CandleLine]:
        """Return the lines held back, as they are."""
        done, self._pending = self._pending, []
        return done

    def _learn(self, mid: float | None) -> None:
        """Let `mid` be that of every candle that still has none: no book came between them."""
        if mid is None:
            return
        for i in range(len(self._pending) - 1, -1, -1):
            if self._pending[i].mid_0 is not None:
                return
            self._pending[i].mid_0 = mid
            for horizon in HORIZONS:
                if i >= horizon:
                    setattr(self._pending[i - horizon], f"mid_{horizon}", mid)

    def _complete(self) -> list[CandleLine]:
        done = []
        last = HORIZONS[-1]
        while len(self._pending) > last and (
            self._pending[last].mid_0 is not None or len(self._pending) > _PENDING_MAX
        ):
            done.append(self._pending.pop(0))
        return done


def read_candle_lines(path: Path, content: bytes | None = None) -> list[CandleLine]:
    """Return the lines of a log, in order; a last line that a crash has cut short is left out.

    Args:
        content: of the file, where it has been read already.

    Raises:
        ValueError: naming the line that is no candle.
    """
    decoder = msgspec.json.Decoder(CandleLine)
    lines = (path.read_bytes() if content is None else content).split(b"\n")
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


def mid_after_previous(signals: npt.NDArray[np.void]) -> float | None:
    """Return the first mid after the candle before the newest one, of a SIGNALS record of shape (1,)."""
    mid = float(signals["mid_after_previous"][0])
    return mid if mid > 0.0 else None
