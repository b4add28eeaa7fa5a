"""An order book of integer ticks and lots, with first-in first-out levels.

A level may also hold `ambient_lots`: recorded liquidity without orders of its own, as a replay puts it
there. In a simulated market ambient is always 0.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator

from exchange.core.orders import SIGN, Order, Side

Change = tuple[Side, int]  # a level that is no longer what it was: side and price in ticks


class Level:
    __slots__ = ("ambient_lots", "orders", "orders_lots", "price_ticks")

    def __init__(self, price_ticks: int) -> None:
        self.price_ticks = price_ticks
        self.orders: dict[str, Order] = {}  # insertion order is time priority
        self.orders_lots = 0
        self.ambient_lots = 0

    @property
    def total_lots(self) -> int:
        return self.orders_lots + self.ambient_lots

    def head(self) -> Order | None:
        return next(iter(self.orders.values()), None)


class Changes:
    """The levels of a book that are no longer what they were; `on_first` is called when there are some again."""

    __slots__ = ("_on_first", "levels")

    def __init__(self, on_first: Callable[[], None]) -> None:
        self.levels: set[Change] = set()
        self._on_first = on_first

    def add(self, change: Change) -> None:
        if not self.levels:
            self._on_first()
        self.levels.add(change)


class BookSide:
    """Bids or asks. `_keys` is sorted so that the best price is last, where lists are cheap to change."""

    def __init__(self, side: Side, changes: Changes) -> None:
        self.side = side
        self.sign = SIGN[side]
        self.levels: dict[int, Level] = {}
        self.total_lots = 0
        self._keys: list[int] = []
        self._changes = changes

    def best_ticks(self) -> int | None:
        return self._keys[-1] * self.sign if self._keys else None

    def best_level(self) -> Level | None:
        return self.levels[self._keys[-1] * self.sign] if self._keys else None

    def best_ambient_ticks(self) -> int | None:
        """Return the best price with recorded liquidity, looking past our own orders."""
        for key in reversed(self._keys):
            if self.levels[key * self.sign].ambient_lots:
                return key * self.sign
        return None

    def crosses(self, limit_ticks: int) -> bool:
        """Return whether an incoming order of the other side, limited at `limit_ticks`, would trade."""
        return bool(self._keys) and self._keys[-1] >= limit_ticks * self.sign

    def top(self, count: int | None) -> list[tuple[int, int]]:
        """Return up to `count` levels (all when None) as (price in ticks, lots), best first."""
        keys = self._keys if count is None else self._keys[-count:]
        sign, levels = self.sign, self.levels
        return [(key * sign, levels[key * sign].total_lots) for key in reversed(keys)]

    def walk(self) -> Iterator[tuple[int, int]]:
        """Yield (price in ticks, lots) from the best level outwards; the side must not change meanwhile."""
        for key in reversed(self._keys):
            yield key * self.sign, self.levels[key * self.sign].total_lots

    def level_lots(self, price_ticks: int) -> int:
        level = self.levels.get(price_ticks)
        return level.total_lots if level else 0

    def add(self, order: Order) -> None:
        level = self._level(order.price_ticks)
        level.orders[order.order_id] = order
        if order.account is not None:
            order.account.note_resting(order, order.remaining_lots)
        level.orders_lots += order.remaining_lots
        self.total_lots += order.remaining_lots
        self._changes.add((self.side, order.price_ticks))

    def remove(self, order: Order) -> None:
        level = self.levels[order.price_ticks]
        del level.orders[order.order_id]
        if order.account is not None:
            order.account.note_resting(order, -order.remaining_lots)
        self._take(level, order.remaining_lots)

    def reduce(self, order: Order, lots: int) -> None:
        """Take `lots` off a resting order's share of its level; the caller changes the order itself."""
        if order.account is not None:
            order.account.note_resting(order, -lots)
        self._take(self.levels[order.price_ticks], lots)

    def set_ambient(self, price_ticks: int, lots: int) -> None:
        """Set the recorded size of a level; 0 takes it away."""
        level = self.levels.get(price_ticks)
        if level is None:
            if not lots:
                return
            level = self._level(price_ticks)
        self.total_lots += lots - level.ambient_lots
        level.ambient_lots = lots
        self._changes.add((self.side, price_ticks))
        self._drop_if_empty(level)

    def _take(self, level: Level, lots: int) -> None:
        level.orders_lots -= lots
        self.total_lots -= lots
        assert level.orders_lots >= 0, f"level {level.price_ticks} fell to {level.orders_lots} lots"
        self._changes.add((self.side, level.price_ticks))
        self._drop_if_empty(level)

    def _level(self, price_ticks: int) -> Level:
        level = self.levels.get(price_ticks)
        if level is None:
            level = self.levels[price_ticks] = Level(price_ticks)
            bisect.insort(self._keys, price_ticks * self.sign)
        return level

    def _drop_if_empty(self, level: Level) -> None:
        if level.orders or level.ambient_lots:
            return
        del self.levels[level.price_ticks]
        key = level.price_ticks * self.sign
        index = bisect.bisect_left(self._keys, key)
        assert self._keys[index] == key
        del self._keys[index]


class Book:
    """Both sides, and the set of levels that changed since they were last asked for.

    `on_change` is called with the first change after each time.
    """

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self._changes = Changes(on_change)
        self.bids = BookSide(Side.BUY, self._changes)
        self.asks = BookSide(Side.SELL, self._changes)
        self._sides = {Side.BUY: self.bids, Side.SELL: self.asks}

    def side(self, side: Side) -> BookSide:
        return self._sides[side]

    @property
    def has_changes(self) -> bool:
        return bool(self._changes.levels)

    def drain_changes(self) -> list[Change]:
        """Return the levels that changed since the last call, and forget them."""
        changes = list(self._changes.levels)
        self._changes.levels.clear()
        return changes

    def mid_ticks(self) -> float | None:
        bid, ask = self.bids.best_ticks(), self.asks.best_ticks()
        return None if bid is None or ask is None else (bid + ask) / 2
