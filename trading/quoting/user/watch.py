"""The entries as a quoter calls them; a user's are watched: an exception takes both sides away, not the process.

After one the user's functions are not called any more, for their state may be half written, until an operator resumes.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.codes import OffReason
from trading.quoting import entries as standard
from trading.quoting.news import News
from trading.quoting.user.code import StrategyCode
from trading.quoting.user.faults import running_fault

_ALL_NEWS_OF_ROWS = int(News.ROWS | News.DEFINITION | News.FILL)

Records = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]


class StandardEntries:
    """The standard strategy: what it raises is a bug of ours, and ends the process."""

    fault: str = ""
    take_news = staticmethod(standard.take_news)
    take_book = staticmethod(standard.take_book)
    take_trades = staticmethod(standard.take_trades)
    take_fill = staticmethod(standard.take_fill)
    take_outage = staticmethod(standard.take_outage)
    decide = staticmethod(standard.decide)
    solve = staticmethod(standard.solve)
    hash_state = staticmethod(standard.hash_state)

    def forget_fault(self) -> None:
        """There is none."""

    def refuse(self, record: Records, words: Ints) -> bool:
        """Take both sides away with STRATEGY_FAULT; return whether there is a wish to write."""
        return refuse(record, words)


class WatchedEntries:
    """The entries of a user's code.

    Attributes:
        fault: the first exception since the last resume, in one line; empty = none.
    """

    def __init__(self, code: StrategyCode) -> None:
        self.fault = ""
        self._code = code
        self._own: types.ModuleType = code.entries
        self.take_outage = self._own.take_outage
        self.solve = self._own.solve
        self.hash_state = self._own.hash_state

    def forget_fault(self) -> None:
        """Call the user's functions again."""
        self.fault = ""

    def take_news(self, record: Records, words: Ints, sight: Records) -> int:
        if self.fault:
            return int(standard.skip_news(record, words, sight))
        news = self._call("on_book", self._own.take_news, record, words, sight)
        if news is None:  # what it found before it failed is not known: look at everything, and refuse to quote
            standard.skip_news(record, words, sight)
            return _ALL_NEWS_OF_ROWS
        return int(news)

    def take_book(self, record: Records) -> None:
        self._call("on_book", self._own.take_book, record)

    def take_trades(self, record: Records, trades: Records, first: int) -> int:
        taken = self._call("on_trade", self._own.take_trades, record, trades, first)
        return len(trades) if taken is None else int(taken)

    def take_fill(self, record: Records, side: int, size_lots: int, time_ns: int) -> None:
        self._call("on_fill", self._own.take_fill, record, side, size_lots, time_ns)

    def decide(self, record: Records, words: Ints) -> bool:
        is_due = self._call("quote", self._own.decide, record, words)
        return self.refuse(record, words) if is_due is None else bool(is_due)

    def refuse(self, record: Records, words: Ints) -> bool:
        """Take both sides away with STRATEGY_FAULT; return whether there is a wish to write."""
        return refuse(record, words)

    def _call(self, function: str, entry: Callable[..., Any], *arguments: Any) -> Any:
        """Return what the entry of a user's function returns; None when it failed, now or before."""
        if self.fault:
            return None
        try:
            result = entry(*arguments)
        except Exception as error:  # the user's code may raise anything
            self.fault = running_fault(error, self._code.copies, function)
            return None
        return True if result is None else result


def refuse(record: Records, words: Ints) -> bool:
    """Decide by the standard strategy with both sides off; return whether there is a wish to write."""
    moment = record["moment"][0]
    before = moment["instrument_off"]
    if before == OffReason.QUOTED:
        moment["instrument_off"] = OffReason.STRATEGY_FAULT
    is_due = standard.decide(record, words)
    moment["instrument_off"] = before
    return is_due


Entries = StandardEntries | WatchedEntries


def watched(code: StrategyCode) -> Entries:
    """Return the entries of `code`, watched where they hold a user's functions."""
    return StandardEntries() if code.is_standard else WatchedEntries(code)
