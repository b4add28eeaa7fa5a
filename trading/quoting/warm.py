"""Runs every kernel entry once, so that no live tick compiles or loads one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from domain import jit
from domain.records import TRADE
from trading.quoting.config import QuotingConfig
from trading.quoting.entries import skip_news
from trading.quoting.params import Units
from trading.quoting.quoter import Quoter
from trading.quoting.sight import blind
from trading.quoting.user.code import STANDARD, StrategyCode, load_code

FITTING = QuotingConfig(fit_arrivals=True)


def warm_kernels(code: StrategyCode = STANDARD, config: QuotingConfig = FITTING) -> None:
    """Call each entry of `code` with exactly the types of a live call; compiles what is not in the cache yet.

    Raises:
        ConfigError: when `config` does not fit `code`.
    """
    quoter = Quoter(instrument=0, code=code)
    quoter.configure(config, Units(tick_size=1.0, lot_size=0.001))
    trades = np.zeros(1, TRADE.dtype)
    for call in (
        lambda: code.entries.take_news(quoter.record, quoter.record.view(np.int64), blind()),
        lambda: skip_news(quoter.record, quoter.record.view(np.int64), blind()),
        lambda: quoter.take_book(quoter.book_words, position=0),
        lambda: quoter.take_trades(trades, position=1),
        lambda: quoter.take_fill(side=1, size_lots=1, time_ns=1),
        quoter.take_outage,
        lambda: quoter.decide(now_ns=1, realtime_ns=1),
        lambda: code.entries.solve(quoter.record),
        quoter.state_hash,
        quoter.refuse,
    ):
        call()
        quoter.pause(False)  # what a user's code makes of a book that is empty is no fault
    if code is STANDARD and jit.is_enabled():
        jit.mark_warm()


def warm_user_files(configs: Iterable[QuotingConfig]) -> dict[tuple[str, str], StrategyCode]:
    """Load and warm what these configurations ask for; the same files are the same code.

    Returns:
        The code by the names of its two files, strategy and signal.

    Raises:
        ConfigError: for a user's file that cannot be used.
    """
    codes: dict[tuple[str, str], StrategyCode] = {}
    for config in configs:
        files = config.file, config.signals.user
        if files not in codes:
            codes[files] = load_code(config)
            if not codes[files].is_standard:
                warm_kernels(codes[files], config)
    return codes
