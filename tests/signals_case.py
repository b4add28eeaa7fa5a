"""The signals of one instrument with a market around them, for tests: candles and mids in, outputs out."""

from __future__ import annotations

import itertools

import numpy as np

from domain.clock import NS_PER_MS, NS_PER_S
from trading.signals.config import SignalsConfig
from trading.signals.kernels import signals_on_book, signals_on_trade
from trading.signals.params import write_signal_params
from trading.signals.records import SIGNAL_PARAMS, SIGNALS

START_NS = 1_000 * NS_PER_S


class Signals:
    """One lot is 0.001 base units, a tick $1, a trade each 100 ms; fields of `now` may be read and changed freely."""

    def __init__(self, lot_base: float = 0.001, **changes: object) -> None:
        self.params = np.zeros(1, SIGNAL_PARAMS)
        self.record = np.zeros(1, SIGNALS)
        self.lot_base = lot_base
        self.configure(**changes)
        self.time_ns = START_NS

    def configure(self, **changes: object) -> None:
        config = SignalsConfig(**{"is_enabled": True, **changes})  # type: ignore[arg-type]
        write_signal_params(self.params, config, tick_size=1.0, lot_size=0.001, lot_base=self.lot_base)

    def __getitem__(self, field: str) -> float:
        return self.record[field][0].item()

    def book(self, mid: float, after_ns: int = 100 * NS_PER_MS) -> None:
        self.time_ns += after_ns
        signals_on_book(self.params[0], self.record[0], self.time_ns, mid)

    def trade(self, price: float, size: float, side: int, after_ns: int = 100 * NS_PER_MS) -> None:
        self.time_ns += after_ns
        signals_on_trade(self.params[0], self.record[0], self.time_ns, price, size, side)

    def candle(self, first: float, last: float, delta: float = 0.0, volume: float = 0.1) -> None:
        """Close one candle of `volume` from `first` to `last` with this δ, of two trades."""
        bought, sold = volume * (1.0 + delta) / 2.0, volume * (1.0 - delta) / 2.0
        parts = [(bought, 1), (sold, -1)]
        if bought == 0.0 or sold == 0.0:
            size, side = max(parts)
            parts = [(size / 2.0, side), (size / 2.0, side)]
        closed = self["candles"]
        self.trade(first, *parts[0])
        self.trade(last, parts[1][0] * (1.0 + 1e-12), parts[1][1])
        assert self["candles"] == closed + 1, "the candle has not closed"

    def candles(self, *prices: float, deltas: tuple[float, ...] = ()) -> None:
        """Close a candle from each price to the next one."""
        for i, (first, last) in enumerate(itertools.pairwise(prices)):
            self.candle(first, last, deltas[i] if deltas else 0.0)
