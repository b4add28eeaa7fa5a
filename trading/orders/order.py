"""One order of ours: what we asked for, what the venue confirmed, and what it could be at worst."""

from __future__ import annotations

from domain.order import Side, TimeInForce
from domain.reports import FillKey
from trading.orders.states import IN_FLIGHT_STATES, OrderState

FEW_FILLS = 4  # of one order: up to so many a tuple is as fast as a set, and a quarter of its size
LEFT_BEHIND_MAX = 8  # terms that are remembered, to tell a late report from a new one

Terms = tuple[int, int]  # price in ticks, total size in lots

# Bound once: Python 3.11 takes ten times as long to find a member in its enum class as a name in its module.
_BUY = Side.BUY
_WORKING, _PENDING_AMEND, _PENDING_CANCEL = OrderState.WORKING, OrderState.PENDING_AMEND, OrderState.PENDING_CANCEL
_FILLED = OrderState.FILLED  # the first of the closed states


class Order:
    """An order and everything that is known of it; changed by the order manager alone.

    Attributes:
        price_ticks, size_lots: the terms that the venue confirmed (of a new order: that were sent).
        amend_refusals: amends that the venue refused since it last took one; those that came too fast count not.
        cancel_refusals: cancels of it that the venue refused.
        cancel_refused_ns: monotonic, when it refused one for more than the first time; None = it may be cancelled now.
        target: terms of an amend whose outcome is not known; None when there is none.
        filled_lots: what the venue says is filled; never falls.
        booked_lots: sum of the fills that were seen one by one; less than `filled_lots` while one is missing.
        given_up_lots: of those that are missing, how many nobody will ever tell: they are asked for no more.
        deadline_ns: monotonic; a message in flight that is unanswered then leaves the order UNKNOWN.
        sent_time_ns: monotonic, when the last message of ours left.
        changed_time_ns: monotonic, last message sent or heard about it.
        wish_id: the wish that led to the last message; 0 when none did.
        is_operator, is_hedge: it is no quote, and no wish moves it.
        moved_from_ticks: price at which it would have crossed, when the venue moved it back; None = it did not.
        is_quote: part of a mass quote: the venue never hears our number of it.
    """

    __slots__ = (
        "absences",
        "amend_refusals",
        "booked_lots",
        "cancel_refusals",
        "cancel_refused_ns",
        "changed_time_ns",
        "client_order_id",
        "deadline_ns",
        "fill_keys",
        "filled_lots",
        "given_up_lots",
        "instrument",
        "is_hedge",
        "is_operator",
        "is_quote",
        "is_reduce_only",
        "left_behind",
        "moved_from_ticks",
        "price_ticks",
        "sent_time_ns",
        "side",
        "size_lots",
        "state",
        "target",
        "time_in_force",
        "venue_order_id",
        "wish_id",
    )  # fmt: skip

    def __init__(
        self,
        *,
        client_order_id: int,
        instrument: int,
        side: Side,
        price_ticks: int,
        size_lots: int,
        wish_id: int = 0,
        time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCELLED,
        is_reduce_only: bool = False,
        is_operator: bool = False,
        is_hedge: bool = False,
        is_quote: bool = False,
    ) -> None:
        assert size_lots > 0, f"an order of {size_lots} lots"
        self.client_order_id = client_order_id
        self.instrument = instrument
        self.side = side
        self.price_ticks = price_ticks
        self.size_lots = size_lots
        self.wish_id = wish_id
        self.time_in_force = time_in_force
        self.is_reduce_only = is_reduce_only
        self.is_operator = is_operator
        self.is_hedge = is_hedge
        self.is_quote = is_quote
        self.state = OrderState.PENDING_NEW
        self.venue_order_id = ""
        self.target: Terms | None = None
        self.filled_lots = 0
        self.booked_lots = 0
        self.given_up_lots = 0
        self.deadline_ns = 0
        self.sent_time_ns = 0
        self.changed_time_ns = 0
        self.absences = 0
        self.amend_refusals = 0
        self.cancel_refusals = 0
        self.cancel_refused_ns: int | None = None
        self.moved_from_ticks: int | None = None
        # Tuples: most orders have next to nothing in them, and thousands of closed orders are kept.
        self.left_behind: tuple[Terms, ...] = ()
        self.fill_keys: tuple[FillKey, ...] | set[FillKey] = ()

    @property
    def terms(self) -> Terms:
        return (self.price_ticks, self.size_lots)

    @property
    def standing(self) -> tuple[OrderState, int, int, Terms | None, int]:
        """All that a look at the venue's report can change and that quoting or the account row go by."""
        return (self.state, self.price_ticks, self.size_lots, self.target, self.filled_lots)

    @property
    def is_live(self) -> bool:
        """Open, or possibly open: counts as exposure."""
        return self.state < _FILLED

    @property
    def is_in_flight(self) -> bool:
        return self.state in IN_FLIGHT_STATES

    @property
    def is_confirmed_open(self) -> bool:
        """The venue has shown it open and nothing since casts doubt on that."""
        state = self.state
        return state is _WORKING or state is _PENDING_AMEND or (state is _PENDING_CANCEL and self.venue_order_id != "")

    @property
    def remaining_lots(self) -> int:
        """Confirmed size still working."""
        return max(self.size_lots - self.filled_lots, 0) if self.is_live else 0

    @property
    def exposed_lots(self) -> int:
        """Most that it can still fill, whatever becomes of an amend in flight."""
        if self.state >= _FILLED:
            return 0
        size_lots = self.size_lots
        if self.target is not None and self.target[1] > size_lots:
            size_lots = self.target[1]
        return size_lots - self.filled_lots if size_lots > self.filled_lots else 0

    @property
    def aggressive_price_ticks(self) -> int:
        """Price nearest to the other side at which it may rest, whatever becomes of an amend in flight."""
        if self.target is None:
            return self.price_ticks
        pick = max if self.side is _BUY else min
        return pick(self.price_ticks, self.target[0])

    @property
    def has_fill_gap(self) -> bool:
        """The venue says more is filled than the fills that were seen, or given up: history must be asked."""
        return self.filled_lots > self.booked_lots + self.given_up_lots

    def adopt(self, terms: Terms) -> bool:
        """Take over terms that the venue confirmed; return whether they are new."""
        self.target = None
        if terms == self.terms:
            return False
        left = (*self.left_behind, self.terms)[-LEFT_BEHIND_MAX:]
        self.price_ticks, self.size_lots = terms
        self.left_behind = tuple(one for one in left if one != terms) if terms in left else left
        return True

    def note_fill(self, key: FillKey) -> None:
        """Remember that a fill of it was seen."""
        if isinstance(self.fill_keys, set):
            self.fill_keys.add(key)
        elif len(self.fill_keys) < FEW_FILLS:
            self.fill_keys = (*self.fill_keys, key)
        else:
            self.fill_keys = {*self.fill_keys, key}

    def __repr__(self) -> str:
        return (
            f"Order({self.client_order_id} {self.side.name} {self.size_lots}@{self.price_ticks} "
            f"filled {self.filled_lots} {self.state.name} venue id {self.venue_order_id or '-'})"
        )
