"""Replay: a recorded market as one instrument, with our orders matched against it.

The recorded book is the ambient liquidity of the market's levels; our own orders rest beside it and are
published with it. They fill by the recording: behind the queue ahead when trades hit their level, in full
when the market trades through or the opposite side crosses them. Our takers walk the recorded book; what
they take comes back when the recording next names that level. The perpetual alone is played: there is no
dated future in a replay. When the recording ends, the last book stands and the market is quiet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from decimal import Decimal

from exchange.background.recording import Depth, Levels, Line, Record, RecordedTrade, Recording, Snapshot
from exchange.core.engine import Engine
from exchange.core.market import Market
from exchange.core.marks import PRICE_STEP
from exchange.core.orders import OPPOSITE, SIGN, Order, Side
from exchange.core.scheduler import NS_PER_S
from exchange.failure import RecordingError
from fills.queue import ahead_after_depth, ahead_after_trade, lots_filled_by_trade

RECORDS_PER_WAKE_MAX = 200  # after a stall: catch up in slices, so that requests are answered in between

STEP_TOLERANCE = 1e-3

_logger = logging.getLogger("exchange.background.replay")


class Replay:
    """Plays a recording at its own speed times the engine's. `on_error` hears of a line that can't be read."""

    def __init__(
        self,
        engine: Engine,
        market: Market,
        recording: Recording,
        on_error: Callable[[RecordingError], None],
    ) -> None:
        self._engine = engine
        self._market = market
        self._book = RecordedBook(market)
        self._lines: Iterator[Line] = recording.lines()
        self._on_error = on_error
        self._zero_ns = 0  # the recorded time that `_started_ns` stands for
        self._started_ns = 0
        self._next: Line | None = None
        self.ended = False

    def start(self) -> None:
        """Play up to the first whole book at once, then go on in time.

        Raises:
            RecordingError: when a line on the way can't be read.
        """
        early: list[Depth] = []
        for line in self._lines:
            record = line.record
            if isinstance(record, Snapshot):
                self._book.start(record, early)
                self._zero_ns = record.time_ns
                break
            if isinstance(record, Depth):
                early.append(record)
        self._engine.set_index_source(self._market.instrument.underlying, self._book.index_price)
        self._engine.commit()
        self._started_ns = self._engine.scheduler.monotonic_ns()
        self._next = next(self._lines, None)
        self._schedule()

    def _schedule(self) -> None:
        if self._next is None:
            self.ended = True
            played_s = (self._engine.scheduler.monotonic_ns() - self._started_ns) / NS_PER_S
            _logger.info("the recording has ended after %.0f s; the last book stands", played_s)
            return
        self._engine.scheduler.call_at(self._due_ns(self._next), self._play)

    def _due_ns(self, line: Line) -> int:
        return self._started_ns + round((line.record.time_ns - self._zero_ns) / self._engine.speed)

    def _play(self) -> None:
        now_ns = self._engine.scheduler.monotonic_ns()
        try:
            for _ in range(RECORDS_PER_WAKE_MAX):
                if self._next is None or self._due_ns(self._next) > now_ns:
                    break
                self._apply(self._next)
                self._engine.commit()
                self._next = next(self._lines, None)
        except RecordingError as error:
            self._on_error(error)
            return
        self._schedule()

    def _apply(self, line: Line) -> None:
        try:
            self._book.apply(line.record)
        except OffGridError as error:
            where = f"{line.path} line {line.number}"
            raise RecordingError(f"{where}: {error}; play it as a recording of its own") from None


class OffGridError(Exception):
    """Raised for a recorded number that is no multiple of the step found at the start."""


class RecordedBook:
    """Applies records to a market: levels, the tape, and what both mean for our orders."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._grid = market.instrument.grid
        self._tick = float(self._grid.tick_size)
        self._lot = float(self._grid.lot_size)
        self._last_id: int | None = None
        self.gaps = 0

    def start(self, snapshot: Snapshot, early: list[Depth]) -> None:
        """Build the book from the snapshot and the changes that were recorded before it arrived."""
        self._set_levels(Side.BUY, snapshot.bids)
        self._set_levels(Side.SELL, snapshot.asks)
        # The venue's rule: the first change to apply is the one with U <= lastUpdateId <= u.
        for depth in early:
            if depth.last_id >= snapshot.last_id:
                self.apply(depth)

    def apply(self, record: Record) -> None:
        match record:
            case Depth():
                self._apply_depth(record)
            case RecordedTrade():
                self._apply_trade(record)
            case Snapshot():
                _logger.warning("a second snapshot in the recording is skipped")

    def index_price(self) -> Decimal | None:
        """Return the mid of the recorded book, None while a side is empty."""
        bid = self._market.book.bids.best_ambient_ticks()
        ask = self._market.book.asks.best_ambient_ticks()
        if bid is None or ask is None:
            return None
        return (self._grid.tick_size * (bid + ask) / 2).quantize(PRICE_STEP)

    # -- depth ---------------------------------------------------------------------------------

    def _apply_depth(self, depth: Depth) -> None:
        if self._last_id is not None and depth.previous_id != self._last_id:
            self.gaps += 1
            _logger.warning("gap in the recorded depth: %d after %d", depth.previous_id, self._last_id)
        self._last_id = depth.last_id
        self._set_levels(Side.BUY, depth.bids)
        self._set_levels(Side.SELL, depth.asks)
        self._uncross()
        if self._market.account_orders:
            self._fill_crossed()

    def _set_levels(self, side: Side, levels: Levels) -> None:
        book_side, own = self._market.book.side(side), self._market.account_orders
        for price, amount in levels:
            price_ticks, lots = self._ticks(price), self._lots(amount)
            level = book_side.levels.get(price_ticks)
            if own and level is not None:
                for order in level.orders.values():
                    self._move_in_queue(order, level.ambient_lots, lots)
            book_side.set_ambient(price_ticks, lots)

    @staticmethod
    def _move_in_queue(order: Order, previous: int, current: int) -> None:
        traded, order.traded_since_depth_lots = order.traded_since_depth_lots, 0.0
        order.queue_ahead_lots = ahead_after_depth(order.queue_ahead_lots, previous, current, traded)

    def _uncross(self) -> None:
        """Drop recorded levels that cross, which only a gap can leave behind."""
        bids, asks = self._market.book.bids, self._market.book.asks
        while True:
            bid, ask = bids.best_ambient_ticks(), asks.best_ambient_ticks()
            if bid is None or ask is None or bid < ask:
                return
            bids.set_ambient(bid, 0)
            asks.set_ambient(ask, 0)
            _logger.warning("the recorded book crosses at %s; the crossing levels are dropped", self._grid.price(bid))

    def _fill_crossed(self) -> None:
        """Fill our orders that the recorded market's other side has come to."""
        for order in list(self._market.account_orders.values()):
            best = self._market.book.side(OPPOSITE[order.side]).best_ambient_ticks()
            if order.is_open and best is not None and (order.price_ticks - best) * SIGN[order.side] >= 0:
                price_ticks, lots = order.price_ticks, order.remaining_lots
                self._market.fill_resting(order, lots)
                self._market.print_trade(price_ticks, lots, OPPOSITE[order.side])

    # -- trades --------------------------------------------------------------------------------

    def _apply_trade(self, trade: RecordedTrade) -> None:
        price_ticks, lots = self._ticks(trade.price), self._lots(trade.amount)
        if not lots:
            return
        if self._market.account_orders:
            self._fill_by_trade(OPPOSITE[trade.aggressor_side], price_ticks, lots)
        self._market.print_trade(price_ticks, lots, trade.aggressor_side)

    def _fill_by_trade(self, side: Side, price_ticks: int, traded: int) -> None:
        """Fill our orders of the side that was hit, best price first, then by time."""
        sign = SIGN[side]
        best_recorded = self._market.book.side(side).best_ambient_ticks()
        own = [order for order in self._market.account_orders.values() if order.side is side]
        own.sort(key=lambda order: -sign * order.price_ticks)  # stable: equal prices stay in time order
        left = traded
        for order in own:
            beyond = (order.price_ticks - price_ticks) * sign
            if beyond < 0:
                return
            if beyond > 0:
                left -= self._fill_through(order, sign, best_recorded, left)
            else:
                left -= self._fill_in_queue(order, traded, left)

    def _fill_through(self, order: Order, sign: int, best_recorded: int | None, left: int) -> int:
        """Fill an order at a better price than the trade's.

        Where the recorded market stood at or before our price, it has traded through us: a full fill. Where
        we alone had improved on it, the trade would have met us first, but only with its own size.
        """
        alone = best_recorded is None or (order.price_ticks - best_recorded) * sign > 0
        lots = min(order.remaining_lots, left) if alone else order.remaining_lots
        if lots > 0 and order.is_open:
            self._market.fill_resting(order, lots)
        return min(lots, left)

    def _fill_in_queue(self, order: Order, traded: int, left: int) -> int:
        # Our earlier orders at this level have taken `traded - left` of what came past the queue ahead.
        lots = int(lots_filled_by_trade(order.queue_ahead_lots + (traded - left), order.remaining_lots, traded))
        order.queue_ahead_lots = ahead_after_trade(order.queue_ahead_lots, traded)
        order.traded_since_depth_lots += traded
        if lots > 0 and order.is_open:
            self._market.fill_resting(order, lots)
            return lots
        return 0

    # -- units ---------------------------------------------------------------------------------

    def _ticks(self, price: float) -> int:
        return self._steps(price, self._tick, "price")

    def _lots(self, amount: float) -> int:
        return self._steps(amount, self._lot, "amount")

    @staticmethod
    def _steps(value: float, step: float, what: str) -> int:
        steps = value / step
        whole = round(steps)
        if abs(steps - whole) > STEP_TOLERANCE:
            raise OffGridError(f"expected a multiple of {step}, found {what} {value}")
        return whole
