"""What the audit trail tells of one order: what was sent, what the venue said, what was filled, and when."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from domain.errors import UserError
from runtime.recordings.audit import open_audit

SENT_WITH_A_WISH = ("insert", "amend", "quote")
_CANCELS = ("cancel", "pull", "cancel_all")

Row = dict[str, Any]


class Story(NamedTuple):
    """Everything on one order, each list by time.

    Attributes:
        client_order_id: 0 for a fill whose order is not ours.
        events: what the venue, or our gate, said of it.
        sent: our messages on it.
    """

    client_order_id: int
    venue_order_id: str
    instrument: str
    side: str
    tick_size: float
    lot_size: float
    events: list[Row]
    sent: list[Row]
    fills: list[Row]

    def answer_to(self, sent: Row) -> Row | None:
        """Return the event that answered a message: the first after it and before the next."""
        later = [one["monotonic_ns"] for one in self.sent if one["monotonic_ns"] > sent["monotonic_ns"]]
        until = min(later, default=1 << 62)
        kinds = ("accepted", "rejected") if sent["action"] in ("insert", "quote") else ("amended", "rejected")
        for event in self.events:
            if event["kind"] in kinds and sent["monotonic_ns"] <= event["local_monotonic_ns"] < until:
                return event
        return None

    @property
    def end(self) -> Row | None:
        """The event that ended it; None while it lives, as far as the record goes."""
        last = self.events[-1] if self.events else None
        if last is not None and (
            last["kind"] in ("cancelled", "denied") or (last["kind"] == "filled" and not last["remaining_lots"])
        ):
            return last
        rejected = [event for event in self.events if event["kind"] == "rejected"]
        accepted = any(event["kind"] == "accepted" for event in self.events)
        return rejected[-1] if rejected and not accepted else None

    @property
    def cancel_asked(self) -> Row | None:
        """Our last message that asked for its end; None when we sent none."""
        return next((one for one in reversed(self.sent) if one["action"] in _CANCELS), None)


def read_story(run: Path, order: str) -> Story:
    """Return the story of an order, by our id or the venue's.

    Raises:
        UserError: when the run has no audit trail, or not this order.
    """
    audit = open_audit(run)
    try:
        return _read(audit, run, order)
    finally:
        audit.close()


def _read(audit: sqlite3.Connection, run: Path, order: str) -> Story:
    ours, theirs = _ids(audit, order)
    if not ours and not theirs:
        count, first, last = audit.execute(
            "SELECT count(DISTINCT client_order_id), min(client_order_id), max(client_order_id) FROM order_events "
            "WHERE client_order_id > 0"
        ).fetchone()
        there_are = f"{count} orders, {first} to {last}" if count else "none so far"
        raise UserError(f"{run.resolve().name}: no order {order}; it has {there_are} (or give the venue's id)")
    by = "(client_order_id = ? AND ? > 0) OR (venue_order_id = ? AND ? <> '')"
    ids = (ours, ours, theirs, theirs)
    events = _rows(audit, f"SELECT * FROM order_events WHERE {by} ORDER BY position", ids)
    sent = _rows(audit, f"SELECT * FROM orders_sent WHERE {by} ORDER BY place", ids)
    fills = _rows(audit, f"SELECT * FROM fills WHERE {by} ORDER BY time_ns", ids)
    one = (events or fills or sent)[0]
    grid = audit.execute("SELECT * FROM instruments WHERE instrument = ?", (one["instrument"],)).fetchone()
    tick, lot = (grid["tick_size"], grid["lot_size"]) if grid is not None else (float("nan"), float("nan"))
    return Story(ours, theirs, one["instrument"], one["side"] or "", tick, lot, events, sent, fills)


def _ids(audit: sqlite3.Connection, order: str) -> tuple[int, str]:
    """Return our id and the venue's; 0 and empty where there is none."""
    number = int(order) if order.isdigit() and len(order) < 19 else 0
    for table in ("order_events", "fills", "orders_sent"):
        found = audit.execute(
            f"SELECT client_order_id, venue_order_id FROM {table} WHERE (client_order_id = ? AND ? > 0) "
            "OR venue_order_id = ? ORDER BY venue_order_id DESC LIMIT 1",
            (number, number, order),
        ).fetchone()
        if found is not None:
            return found["client_order_id"] or 0, found["venue_order_id"]
    return 0, ""


def _rows(audit: sqlite3.Connection, query: str, values: tuple[Any, ...]) -> list[Row]:
    return [dict(row) for row in audit.execute(query, values)]
