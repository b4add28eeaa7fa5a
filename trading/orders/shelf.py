"""Where our orders are kept, and how a report finds its order.

Most reports name our own number or the venue's. A mass quote has no number of ours: the first report on it is told
by its label, instrument, side, size and price, and from then on by the venue's number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from domain.clock import NS_PER_S
from domain.reports import OrderReport
from trading.orders.order import Order

# Closed orders are kept, so that a late message finds its order: for longer than the history lags, and never more.
CLOSED_KEPT_NS = 120 * NS_PER_S
CLOSED_KEPT_MAX = 4096


class OrderShelf:
    """All our orders of one account: those that may be open, by instrument, and the latest that are not.

    Attributes:
        live: by instrument row, then by our number.
    """

    def __init__(self, rows: Iterable[int]) -> None:
        self._by_client: dict[int, Order] = {}
        self._by_venue: dict[str, Order] = {}
        self._closed: deque[Order] = deque()
        self.live: dict[int, dict[int, Order]] = {row: {} for row in rows}

    def all_live(self) -> list[Order]:
        return [order for orders in self.live.values() for order in orders.values()]

    def get(self, client_order_id: int) -> Order | None:
        return self._by_client.get(client_order_id)

    def get_by_venue(self, venue_order_id: str) -> Order | None:
        return self._by_venue.get(venue_order_id)

    def find(self, report: OrderReport) -> Order | None:
        """Return the order that a report names; None when it names none of ours."""
        order = self._by_venue.get(report.venue_order_id)
        if order is None and report.client_order_id is not None:
            order = self._by_client.get(report.client_order_id)
            if order is not None and order.venue_order_id not in ("", report.venue_order_id):
                return None  # a stranger's number that happens to be one of ours
        return order

    def find_quote(self, row: int, report: OrderReport, price_ticks: int, size_lots: int) -> Order | None:
        """Return the unconfirmed quote that a report without our number can only mean; None when there is none.

        The venue may have moved a post-only quote away from the other side, never towards it.
        """
        best: Order | None = None
        best_ticks = 0
        for order in self.live[row].values():
            if not order.is_quote or order.venue_order_id or order.side is not report.side:
                continue
            moved_ticks = order.side * (order.price_ticks - price_ticks)
            is_nearer = best is None or moved_ticks < best_ticks
            if order.size_lots == size_lots and moved_ticks >= 0 and is_nearer:
                best, best_ticks = order, moved_ticks
        return best

    def add(self, order: Order) -> None:
        assert order.client_order_id not in self._by_client, f"{order} is sent twice"
        self._by_client[order.client_order_id] = order
        self.live[order.instrument][order.client_order_id] = order

    def name(self, order: Order, venue_order_id: str) -> None:
        """The venue has told its number of an order."""
        order.venue_order_id = venue_order_id
        self._by_venue[venue_order_id] = order

    def close(self, order: Order) -> list[Order]:
        """An order is no longer live; return those that are so long closed that they are forgotten."""
        del self.live[order.instrument][order.client_order_id]
        self._closed.append(order)
        forgotten = []
        oldest_ns = order.changed_time_ns - CLOSED_KEPT_NS
        while len(self._closed) > CLOSED_KEPT_MAX or _is_settled_before(self._closed[0], oldest_ns):
            old = self._closed.popleft()
            self._by_client.pop(old.client_order_id, None)
            self._by_venue.pop(old.venue_order_id, None)
            forgotten.append(old)
        return forgotten

    def revive(self, order: Order) -> None:
        """An order that was given up is live after all."""
        self.live[order.instrument][order.client_order_id] = order
        self._closed.remove(order)


def _is_settled_before(order: Order, time_ns: int) -> bool:
    """Return whether nothing was heard of a closed order since, and nothing more of it is waited for."""
    return order.changed_time_ns < time_ns and not order.has_fill_gap
