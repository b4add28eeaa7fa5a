"""Lists of orders, read one by one: what is unreadable of somebody else's does not make ours unknown.

An order may be in a state, or of a kind, that this program has never heard of. While it may be ours, the whole list is
unreadable, for a list without it would say that it is gone. One that is certainly not ours is left out and told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from domain.errors import ProtocolError
from domain.reports import OrderReport
from venues.conditional import ConditionalOrderReport
from venues.thalex.account_wire import decode_order, decode_orders
from venues.thalex.conditional_wire import decode_conditional_order, decode_conditional_orders
from venues.thalex.wire import readable

TOLD_MAX = 256

_T = TypeVar("_T")


class _Whose(msgspec.Struct, gc=False):
    order_id: str = ""
    label: str | None = None
    client_order_id: int | None = None


_decode_items = readable(msgspec.json.Decoder(list[msgspec.Raw]).decode)
_decode_whose = readable(msgspec.json.Decoder(_Whose).decode)


class OrderLists:
    """Decodes lists of orders and of conditional orders.

    Args:
        own_labels: mark our orders, every one of them; none = any order may be ours.
        tell: told once of each order that is left out, and why.

    Attributes:
        left_out: ids of the orders that could not be read when they were last told, and may be open.
    """

    def __init__(
        self, own_labels: frozenset[str] = frozenset(), tell: Callable[[str], None] = lambda reason: None
    ) -> None:
        self._own_labels = own_labels
        self._tell = tell
        self._told: set[str] = set()
        self.left_out: set[str] = set()

    def orders(self, payload: Any) -> list[OrderReport]:
        """Return a message of session.orders or account.orders: orders that have changed."""
        reports = self._read(payload, decode_orders, decode_order, self.left_out)
        if self.left_out:
            self.left_out.difference_update(report.venue_order_id for report in reports)
        return reports

    def open_orders(self, payload: Any) -> list[OrderReport]:
        """Return the answer of private/open_orders: all that is open."""
        self.left_out.clear()
        return self.orders(payload)

    def conditional_orders(self, payload: Any) -> list[ConditionalOrderReport]:
        """Return a message of account.conditional_orders or the answer of private/open_conditional_orders."""
        return self._read(payload, decode_conditional_orders, decode_conditional_order, set())

    def _read(
        self,
        payload: Any,
        decode_all: Callable[[Any], list[_T]],
        decode_one: Callable[[Any], _T],
        left_out: set[str],
    ) -> list[_T]:
        try:
            return decode_all(payload)
        except ProtocolError:
            if not self._own_labels:
                raise
        found = []
        for item in _decode_items(payload):
            try:
                found.append(decode_one(item))
            except ProtocolError as error:
                whose = _decode_whose(item)
                self._leave_out(whose, error)
                left_out.add(whose.order_id)
        return found

    def _leave_out(self, whose: _Whose, error: ProtocolError) -> None:
        if whose.label in self._own_labels or (not whose.label and whose.client_order_id is not None):
            raise ProtocolError(f"order {whose.order_id or '?'}, which may be ours: {error}", error.refusal) from error
        if whose.order_id not in self._told:
            if len(self._told) >= TOLD_MAX:
                self._told.clear()
            self._told.add(whose.order_id)
            self._tell(f"order {whose.order_id or '?'}, label {whose.label!r}: {error}")
