"""What was sent in one instrument a moment ago, so that the same order is not sent twice by a fault of ours.

The same order: same side, price and open size. An order that has moved on since stands no longer where it was sent,
and is no duplicate of what comes to that price; nor is what an amend or a mass quote replaces. What takes the place of
one that was filled at once waits for the window, too: the next wish is the first that knows of the fill.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from domain.order import Side
from trading.orders.order import Order
from trading.orders.states import OrderState
from trading.risk.gate_kernel import NO_DUPLICATE_NS

SENT_MAX = 64  # remembered; the oldest half is forgotten when there are more

_FILLED = OrderState.FILLED
_UNANSWERED = frozenset({OrderState.PENDING_NEW, OrderState.PENDING_AMEND, OrderState.UNKNOWN})


class RecentOrders:
    """The last inserts and amends of one instrument.

    Args:
        get: returns an order by our number; None once it is forgotten.
    """

    def __init__(self, get: Callable[[int], Order | None]) -> None:
        self._get = get
        self._sent: dict[tuple[Side, int, int], tuple[int, int]] = {}

    def note(self, side: Side, price_ticks: int, open_lots: int, client_order_id: int, now_ns: int) -> None:
        """An order left that leads to this price and open size."""
        sent, key = self._sent, (side, price_ticks, open_lots)
        sent.pop(key, None)  # so that it comes last
        if len(sent) >= SENT_MAX:
            for old in list(sent)[: SENT_MAX // 2]:
                del sent[old]
        sent[key] = (client_order_id, now_ns)

    def age_ns(self, side: Side, price_ticks: int, open_lots: int, replaced: Container[int], now_ns: int) -> int:
        """Return the time since the same order was sent, 0 while it is unanswered, NO_DUPLICATE_NS if there is none.

        Args:
            replaced: our numbers of the orders that the new one replaces.
        """
        found = self._sent.get((side, price_ticks, open_lots))
        if found is None or found[0] in replaced:
            return NO_DUPLICATE_NS
        client_order_id, sent_ns = found
        order = self._get(client_order_id)
        if order is not None and order.is_live:
            aim_ticks, _ = order.target or order.terms
            if aim_ticks != price_ticks:
                return NO_DUPLICATE_NS
            if order.state in _UNANSWERED:
                return 0
        return now_ns - sent_ns

    def was_filled(self, side: Side, price_ticks: int, open_lots: int) -> bool:
        """Return whether the last order of these terms was filled: what is held back then is no fault of ours."""
        found = self._sent.get((side, price_ticks, open_lots))
        order = self._get(found[0]) if found is not None else None
        return order is not None and order.state is _FILLED
