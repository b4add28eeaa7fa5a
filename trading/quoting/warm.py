"""Runs every kernel entry once, so that no live tick compiles or loads one."""

from __future__ import annotations

import numpy as np

from domain.records import TRADE
from trading.quoting import entries
from trading.quoting.config import QuotingConfig
from trading.quoting.params import Units
from trading.quoting.quoter import Quoter


def warm_kernels() -> None:
    """Call each entry with exactly the types of a live call; compiles what is not in the cache yet."""
    quoter = Quoter(instrument=0)
    quoter.configure(QuotingConfig(fit_arrivals=True), Units(tick_size=1.0, lot_size=0.001))
    quoter.take_book(quoter.book_words, position=0)
    quoter.take_trades(np.zeros(1, TRADE.dtype), position=1)
    quoter.take_fill(side=1, size_lots=1, time_ns=1)
    quoter.take_outage()
    quoter.decide(now_ns=1, realtime_ns=1)
    entries.solve(quoter.record)
    quoter.state_hash()
