"""An order book of price levels, built from a snapshot and changes.

Each side is a pair of parallel arrays sorted by price, ascending on both sides: the best bid is the last
element, the best ask the first. Levels are few and changes come near the touch, so a bisection and a short
move of memory beat any tree. Prices are float64 as the venue sends them: the same text is the same float.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence

Change = Sequence[float]  # price, absolute size (0 removes the level), further items are ignored


class BookSide:
    """One side of a book.

    Attributes:
        prices, sizes: parallel, ascending by price.
    """

    __slots__ = ("_is_bid", "prices", "sizes")

    def __init__(self, *, is_bid: bool) -> None:
        self.prices = array("d")
        self.sizes = array("d")
        self._is_bid = is_bid

    def __len__(self) -> int:
        return len(self.prices)

    def clear(self) -> None:
        del self.prices[:]
        del self.sizes[:]

    def apply(self, changes: Iterable[Change]) -> None:
        """Set each level to its new absolute size; size 0 removes it, if it is there."""
        prices, sizes = self.prices, self.sizes
        for change in changes:
            price = change[0]
            size = change[1]
            i = bisect_left(prices, price)
            if i < len(prices) and prices[i] == price:
                if size > 0.0:
                    sizes[i] = size
                else:
                    del prices[i], sizes[i]
            elif size > 0.0:
                prices.insert(i, price)
                sizes.insert(i, size)

    def keep_best(self, levels_max: int) -> None:
        """Drop the levels behind the best `levels_max`: out of the venue's window, no longer maintained."""
        surplus = len(self.prices) - levels_max
        if surplus > 0:
            gone = slice(0, surplus) if self._is_bid else slice(levels_max, None)
            del self.prices[gone], self.sizes[gone]

    def best(self, levels_max: int) -> tuple[array[float], array[float]]:
        """Return copies of the best prices and sizes, best first, at most `levels_max` of them."""
        if self._is_bid:
            first = slice(None, -levels_max - 1, -1)
            return self.prices[first], self.sizes[first]
        return self.prices[:levels_max], self.sizes[:levels_max]


class Book:
    """Both sides of one instrument's book.

    Args:
        window_levels: depth that the venue maintains on each side; 0 = all levels.

    Attributes:
        update_count: updates applied since the last snapshot.
    """

    __slots__ = ("_window_levels", "asks", "bids", "update_count")

    def __init__(self, window_levels: int = 0) -> None:
        self.bids = BookSide(is_bid=True)
        self.asks = BookSide(is_bid=False)
        self.update_count = 0
        self._window_levels = window_levels

    def clear(self) -> None:
        self.bids.clear()
        self.asks.clear()
        self.update_count = 0

    def apply_snapshot(self, bids: Sequence[Change], asks: Sequence[Change]) -> None:
        """Replace everything."""
        self.clear()
        self._apply(bids, asks)

    def apply_changes(self, bids: Sequence[Change], asks: Sequence[Change]) -> None:
        """Apply one message of changes."""
        self.update_count += 1
        self._apply(bids, asks)

    def _apply(self, bids: Sequence[Change], asks: Sequence[Change]) -> None:
        if bids:
            self._apply_to(self.bids, bids)
        if asks:
            self._apply_to(self.asks, asks)

    def _apply_to(self, side: BookSide, changes: Sequence[Change]) -> None:
        side.apply(changes)
        if 0 < self._window_levels < len(side.prices):
            side.keep_best(self._window_levels)

    @property
    def best_bid(self) -> float:
        """Highest bid; -inf when there is none."""
        return self.bids.prices[-1] if self.bids.prices else float("-inf")

    @property
    def best_ask(self) -> float:
        """Lowest ask; inf when there is none."""
        return self.asks.prices[0] if self.asks.prices else float("inf")

    @property
    def is_crossed(self) -> bool:
        """True when a bid is at or above an ask: changes were lost or misread."""
        bids, asks = self.bids.prices, self.asks.prices
        return bool(bids and asks and bids[-1] >= asks[0])

    @property
    def is_two_sided(self) -> bool:
        return bool(self.bids.prices and self.asks.prices)
