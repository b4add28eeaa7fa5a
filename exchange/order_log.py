"""The exchange's own log of orders and connections, as JSON lines: what tests judge unattended orders by.

Each line has `event` (connect, login, cancel_on_disconnect, disconnect, insert, amend, cancel, fill, reject, request),
`wall_ns`, `monotonic_ns` and `session`. A connect adds the client's address as `peer`. A request is a cancel of
everything, a question for the account, or the operator's hand; it stands before what it causes. Order lines add
order_id, client_order_id, instrument, side, price, amount, filled, remaining, status, delete_reason, persistent and
reduce_only; fill lines also trade_id, fill_price, fill_amount, liquidity.
Lines are buffered and written within a few milliseconds, so that the log does not slow the matching down.
Where a size is set the log goes on in a new file beyond it: PATH.1 is the youngest of the four that are kept.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgspec

from exchange.core.book import Change
from exchange.core.events import Event
from exchange.core.instrument import Instrument
from exchange.core.orders import ChangeReason, OrderUpdate
from exchange.core.scheduler import NS_PER_MS, Scheduler
from runtime.continued import put_away

UNWRITTEN_BYTES_MAX = 64 << 20
_log = logging.getLogger(__name__)
FLUSH_DELAY_NS = 2 * NS_PER_MS


class OrderLog:
    """A listener that writes. With no path it does nothing."""

    def __init__(self, path: Path | None, scheduler: Scheduler, bytes_max: int = 0) -> None:
        """Open or create it; `bytes_max` 0 = it grows without end."""
        self._path = path
        self._bytes_max = self._full_at = bytes_max
        self._file = path.open("ab", buffering=0) if path else None
        self._scheduler = scheduler
        self._lines: list[bytes] = []
        self._unwritten = b""

    def on_events(self, events: list[Event]) -> None:
        if self._file is None:
            return
        for event in events:
            if isinstance(event, OrderUpdate) and event.order.account is not None:
                self._log_update(event)

    def on_book(self, instrument: Instrument, changes: list[Change]) -> None:
        """Books are not logged."""

    def on_second(self) -> None:
        """Marks are not logged."""

    def write(self, event: str, session_id: str, **fields: Any) -> None:
        """Log one line about a session."""
        if self._file is None:
            return
        if not self._lines:
            self._scheduler.call_at(self._scheduler.monotonic_ns() + FLUSH_DELAY_NS, self.flush)
        stamps = {
            "event": event,
            "wall_ns": self._scheduler.realtime_ns(),
            "monotonic_ns": self._scheduler.monotonic_ns(),
            "session": session_id,
        }
        self._lines.append(msgspec.json.encode({**stamps, **fields}))

    def flush(self) -> None:
        if self._file is None or not (self._lines or self._unwritten):
            return
        self._unwritten += b"".join(line + b"\n" for line in self._lines)
        self._lines.clear()
        try:
            while self._unwritten:
                self._unwritten = self._unwritten[self._file.write(self._unwritten) or 0 :]
        except OSError as error:  # a full disk must not end the exchange: it is tried again with the next line
            if len(self._unwritten) > UNWRITTEN_BYTES_MAX:
                raise
            _log.warning("the order log cannot be written: %s", error.strerror)
            return
        if self._bytes_max and self._file.tell() >= self._full_at:
            self._go_on_in_a_new_file()

    def close(self) -> None:
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _go_on_in_a_new_file(self) -> None:
        assert self._path is not None
        assert self._file is not None
        try:
            put_away(self._path)
            file = self._path.open("ab", buffering=0)
        except OSError as error:  # it goes on in the same, and the next try comes after as much again
            self._full_at += self._bytes_max
            _log.warning("the order log cannot go on in a new file: %s", error.strerror)
            return
        self._file.close()
        self._file, self._full_at = file, self._bytes_max

    def _log_update(self, update: OrderUpdate) -> None:
        fields = _order_fields(update)
        if update.change_reason is not ChangeReason.FILL:
            self.write(update.change_reason.value, update.order.session_id, **fields)
        grid = update.order.instrument.fill_grid
        for fill in update.fills:
            self.write(
                "fill",
                update.order.session_id,
                **fields,
                trade_id=fill.trade_id,
                fill_price=grid.price_number(fill.price_ticks),
                fill_amount=grid.amount_number(fill.lots),
                liquidity="maker" if fill.is_maker else "taker",
            )


def _order_fields(update: OrderUpdate) -> dict[str, Any]:
    order = update.order
    grid = order.instrument.grid
    remaining_lots = 0 if update.delete_reason else update.amount_lots - update.filled_lots
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "instrument": order.instrument.name,
        "side": order.side.value,
        "price": grid.price_number(update.price_ticks),
        "amount": grid.amount_number(update.amount_lots),
        "filled": grid.amount_number(update.filled_lots),
        "remaining": grid.amount_number(remaining_lots),
        "status": update.status.value,
        "delete_reason": update.delete_reason.value if update.delete_reason else None,
        "persistent": order.persistent,
        "reduce_only": order.reduce_only,
    }
