"""A quoter with a market around it, for tests: change what matters, quote, look at the ladder."""

from __future__ import annotations

from typing import Any

import numpy as np

from domain.clock import NS_PER_S
from domain.order import TradingState
from domain.records import ACCOUNT, BOOK, LIMITS, QUOTE_LEVELS_MAX, TICKER, TRADE
from trading.quoting.config import QuotingConfig
from trading.quoting.params import Units
from trading.quoting.quoter import Quoter
from trading.quoting.user.code import STANDARD, StrategyCode

START_NS = 1_000 * NS_PER_S
UNITS = Units(tick_size=1.0, lot_size=0.001, contract_multiplier=1.0, order_lots_min=1)
# Wide enough that the model itself decides: no floor, room for a large position.
BARE = QuotingConfig(
    fee_floor=False, half_spread_min_usd=0.0, position_soft_base=5.0, position_hard_base=10.0, requote_ticks_min=1
)


def words(record: np.ndarray) -> memoryview:
    """Return a one-element record array as int64 words."""
    return record.view(np.uint8).data.cast("q")


class Case:
    """One instrument at $100,000 with ten levels a side; fields of the records may be changed freely."""

    def __init__(self, config: QuotingConfig = BARE, units: Units = UNITS, code: StrategyCode = STANDARD) -> None:
        self.now_ns = START_NS
        self.units = units
        self.quoter = Quoter(instrument=0, code=code)
        self.quoter.configure(config, units)
        self.book = np.zeros(1, BOOK.dtype)
        self.book["is_valid"] = 1
        self.ticker = np.zeros(1, TICKER.dtype)
        self.account = np.zeros(1, ACCOUNT.dtype)
        self.account["is_known"] = 1
        self.limits = np.zeros(1, LIMITS.dtype)
        for name, value in {
            "state": TradingState.ACTIVE,
            "is_position_known": 1,
            "order_lots_max": 10**6,
            "position_lots_max": 10**6,
            "order_notional_max": 1e12,
            "gross_notional_room": 1e12,
            "net_long_room": 1e12,
            "net_short_room": 1e12,
            "levels_max": QUOTE_LEVELS_MAX,
            "mark_price": 100_000.0,
            "collar_low": 1.0,
            "collar_high": 1e9,
        }.items():
            self.limits[name] = value
        self.net_delta: float | None = None  # None = not known
        self.is_connected = True
        self.alive_time_ns: int | None = None
        self.books = 0
        self.set_book(100_000.0, 100_001.0)

    def set_book(self, bid: float, ask: float, bid_size: float = 1.0, ask_size: float = 1.0, levels: int = 10) -> None:
        """Let the book start at `bid` and `ask`, a level each tick."""
        tick = self.units.tick_size
        self.book["bid_count"] = self.book["ask_count"] = levels
        for i in range(levels):
            self.book["bid_price"][0, i] = bid - i * tick
            self.book["ask_price"][0, i] = ask + i * tick
        self.book["bid_size"][0] = bid_size
        self.book["ask_size"][0] = ask_size

    def hold(self, position_lots: int) -> None:
        """Let execution and risk know a position."""
        self.account["position_lots"] = position_lots
        self.limits["position_lots"] = position_lots

    def refer(self, mark: float = np.nan, index: float = np.nan, funding: float = np.nan, age_ns: int = 0) -> None:
        """Let the venue have sent mark, index and funding rate, `age_ns` ago."""
        self.ticker["mark_price"] = mark
        self.ticker["index_price"] = index
        self.ticker["funding_rate"] = funding
        self.ticker["receive_time_ns"] = self.now_ns - age_ns
        self.quoter.take_ticker(words(self.ticker))

    def signal(self, **values: float) -> None:
        """Let the signals say this until they are worked out anew."""
        for name, value in values.items():
            self.quoter.record["signals"][name] = value

    def fill(self, side: int, after_ns: int = 0) -> None:
        """Let one of our orders be filled; +1 = a bid."""
        self.now_ns += after_ns
        self.quoter.take_fill(side, 1, self.now_ns)

    def work(self, side: str, *orders: tuple[int, int]) -> None:
        """Let (ticks, lots) be our working orders of `side` (bid or ask)."""
        self.account[f"{side}_count"] = len(orders)
        for i, (ticks, lots) in enumerate(orders):
            self.account[f"{side}_price_ticks"][0, i] = ticks
            self.account[f"{side}_size_lots"][0, i] = lots

    def tick(self, after_ns: int = 0) -> None:
        """Hand the book over, `after_ns` later than the one before."""
        self.now_ns += after_ns
        self.book["receive_time_ns"] = self.now_ns
        self.quoter.take_account(words(self.account))
        self.quoter.take_book(words(self.book), self.books)
        self.books += 1

    def trade(self, price: float, aggressor_side: int, after_ns: int = 0, size: float = 0.0) -> None:
        """Let a public trade happen."""
        self.now_ns += after_ns
        trade = np.zeros(1, TRADE.dtype)
        trade["receive_time_ns"] = self.now_ns
        trade["price"] = price
        trade["size"] = size
        trade["aggressor_side"] = aggressor_side
        self.quoter.take_trades(trade, 1)

    def quote(self, after_ns: int = 0) -> dict[str, Any]:
        """Tick, decide, and return the ladder and the terms of the quote."""
        self.tick(after_ns)
        return self.decide()

    def decide(self, after_ns: int = 0) -> dict[str, Any]:
        """Decide without a new book, `after_ns` later; `is_written` says whether there is a wish to publish."""
        self.now_ns += after_ns
        self.limits["written_time_ns"] = self.now_ns
        self.quoter.take_account(words(self.account))
        self.quoter.take_limits(words(self.limits))
        self.quoter.take_feed(self.is_connected, self.now_ns if self.alive_time_ns is None else self.alive_time_ns)
        self.quoter.take_net_delta(self.net_delta or 0.0, self.net_delta is not None)
        is_written = self.quoter.decide(self.now_ns, self.now_ns)
        if self.quoter.solve():
            is_written |= self.quoter.decide(self.now_ns, self.now_ns)
        return {"is_written": bool(is_written), **self.seen()}

    def seen(self) -> dict[str, Any]:
        """Return ladder and explanation of the newest quote as plain numbers and lists."""
        ladder, explanation = self.quoter.record["ladder"][0], self.quoter.record["explanation"][0]
        view = {name: explanation[name].item() for name in explanation.dtype.names}
        for side in ("bid", "ask"):
            count = int(ladder[f"{side}_count"])
            view[f"{side}s"] = ladder[f"{side}_price_ticks"][:count].tolist()
            view[f"{side}_lots"] = ladder[f"{side}_size_lots"][:count].tolist()
        return view


def quote(config: QuotingConfig = BARE, position_lots: int = 0, units: Units = UNITS) -> dict[str, Any]:
    """Return one quote of a fresh quoter that holds `position_lots`."""
    case = Case(config, units)
    case.hold(position_lots)
    return case.quote()
