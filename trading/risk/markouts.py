"""Adverse selection: where the mid went after our fills, and whether there are more fills than can be well."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from domain.clock import NS_PER_S

_BPS = 1e4


class _Waiting(NamedTuple):
    due_ns: int
    side: int
    price: float


class Markouts:
    """Mean markout of the last fills of one instrument.

    The markout of a fill is side·(mid after the delay - price)/price in bps: negative when the market went on
    through us.
    """

    def __init__(self, delay_s: float, window: int) -> None:
        self._delay_ns = int(delay_s * NS_PER_S)
        self._waiting: deque[_Waiting] = deque()
        self._markouts_bps: deque[float] = deque(maxlen=window)
        self._fill_times_ns: deque[int] = deque()

    def on_fill(self, side: int, price: float, now_ns: int) -> None:
        """Count one fill of ours; `side` +1 bought, -1 sold."""
        self._waiting.append(_Waiting(now_ns + self._delay_ns, side, price))
        self._fill_times_ns.append(now_ns)

    def on_mid(self, mid: float, now_ns: int) -> None:
        """Judge the fills whose delay has passed by the present mid; those that find no mid are dropped."""
        while self._waiting and self._waiting[0].due_ns <= now_ns:
            _, side, price = self._waiting.popleft()
            if math.isfinite(mid) and mid > 0.0:
                self._markouts_bps.append(side * (mid - price) / price * _BPS)

    def mean_bps(self) -> float:
        """Return the mean of a full window; NaN before there is one."""
        if len(self._markouts_bps) < (self._markouts_bps.maxlen or 0):
            return math.nan
        return math.fsum(self._markouts_bps) / len(self._markouts_bps)

    def fills_last_minute(self, now_ns: int) -> int:
        while self._fill_times_ns and self._fill_times_ns[0] <= now_ns - 60 * NS_PER_S:
            self._fill_times_ns.popleft()
        return len(self._fill_times_ns)
