"""The audit trail of a run as CSV, for spreadsheets and accountants: one file a kind, exact decimals, by time.

Every file begins with `time`, the wall clock in UTC with nanoseconds, and `time_ns`, the same in Unix ns. Prices and
sizes are the venue's: quote currency and base units.
"""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from domain.clock import NS_PER_S
from runtime.recordings.audit import open_audit

Row = dict[str, Any]
Table = tuple[Sequence[str], Iterator[Row]]  # columns, and rows that may leave some of them empty
TIMES = ("time", "time_ns")
ENDS = ("pull", "cancel", "cancel_all", "cancel_stop")  # messages that ask for an end
ORDER_COLUMNS = (
    *TIMES, "instrument", "side", "price", "size", "state", "filled", "amends", "last_price", "ended_time", "reason",
    "venue_code", "sent_as", "order", "venue_order_id", "wish",
)  # fmt: skip


def export_run(run: Path, folder: Path) -> dict[Path, int]:
    """Write every kind to `folder`, replacing what is there; return how many rows each file has.

    Raises:
        UserError: when the run has no audit trail.
    """
    audit = open_audit(run)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = {}
        for kind in KINDS:
            path = folder / f"{kind}.csv"
            with path.open("w", newline="") as file:
                os.fchmod(file.fileno(), 0o600)  # one that was there keeps its mode else
                written[path] = _write(KINDS[kind](audit), file)
        return written
    finally:
        audit.close()


def export_kind(run: Path, kind: str, file: TextIO) -> int:
    """Write one kind to an open file; return how many rows that were.

    Raises:
        UserError: when the run has no audit trail.
    """
    audit = open_audit(run)
    try:
        return _write(KINDS[kind](audit), file)
    finally:
        audit.close()


def _fills(audit: sqlite3.Connection) -> Table:
    """Every fill once, with what it cost; `fee` is positive when paid, empty until the venue has told it."""
    lots = _steps(audit, "lot_size")
    told = ("instrument", "side", "price", "size", "fee", "realised_pnl", "liquidity")
    ids = ("venue_order_id", "trade_id", "leg_index", "exchange_time_ns")

    def rows() -> Iterator[Row]:
        for fill in audit.execute("SELECT * FROM fills ORDER BY time_ns, trade_id, leg_index"):
            held = fill["position_lots"]
            yield {
                **_times(fill["time_ns"]),
                **{name: fill[name] for name in (*told, *ids)},
                "position": None if held is None else held * lots[fill["instrument"]],
                "order": fill["client_order_id"],
                "wish": fill["wish_id"],
            }

    return (*TIMES, *told, "position", "order", "wish", *ids), rows()


def _messages(audit: sqlite3.Connection) -> Table:
    """Every message, as it was written down before it left."""
    told = ("action", "instrument", "side", "price", "size")

    def rows() -> Iterator[Row]:
        for sent in audit.execute("SELECT * FROM orders_sent ORDER BY place"):
            yield {
                **_times(sent["time_ns"]),
                **{name: sent[name] for name in told},
                "order": sent["client_order_id"] or None,
                "venue_order_id": sent["venue_order_id"] or None,
                "wish": sent["wish_id"],
            }

    return (*TIMES, *told, "order", "venue_order_id", "wish"), rows()


def _pnl(audit: sqlite3.Connection) -> Table:
    """The account by time, for display; positions stand behind, a column an instrument, base units."""
    lots = _steps(audit, "lot_size")
    told = (
        "state", "reason", "equity_usd", "equity_peak_usd", "realised_usd", "unrealised_usd", "fees_usd", "funding_usd",
        "gross_notional_usd", "net_notional_usd",
    )  # fmt: skip

    def rows() -> Iterator[Row]:
        for line in audit.execute("SELECT * FROM pnl ORDER BY time_ns"):
            held = json.loads(line["positions_lots"])
            positions = {
                f"position {name}": held[name] * lot for name, lot in lots.items() if held.get(name) is not None
            }
            yield {**_times(line["time_ns"]), **{name: line[name] for name in told}, **positions}

    return (*TIMES, *told, *(f"position {name}" for name in lots)), rows()


def _orders(audit: sqlite3.Connection) -> Table:
    """Every order of ours: as it was first sent, how often it was amended, what was filled, how it ended."""
    return ORDER_COLUMNS, iter(sorted(_told_orders(audit), key=lambda order: (order["time_ns"], order["order"])))


def _told_orders(audit: sqlite3.Connection) -> Iterable[Row]:
    orders: dict[int, Row] = {}
    for sent in audit.execute("SELECT * FROM orders_sent WHERE client_order_id > 0 ORDER BY place"):
        if sent["action"] not in ENDS and sent["client_order_id"] not in orders:
            orders[sent["client_order_id"]] = _order(sent, sent["price"], sent["size"], sent["action"])
    ticks, lots = _steps(audit, "tick_size"), _steps(audit, "lot_size")
    for event in audit.execute("SELECT * FROM order_events WHERE client_order_id > 0 ORDER BY position"):
        price, size = event["price_ticks"] * ticks[event["instrument"]], event["size_lots"] * lots[event["instrument"]]
        order = orders.setdefault(event["client_order_id"], _order(event, price, size, None))
        _follow(order, event, price, size)
    return orders.values()


def _order(first: sqlite3.Row, price: Any, size: Any, action: str | None) -> Row:
    """Return an order of which nothing is known but its first trace; one that our gate denied was never sent."""
    return dict.fromkeys(ORDER_COLUMNS) | _times(first["time_ns"]) | {
        "instrument": first["instrument"], "side": first["side"], "price": price, "size": size, "last_price": price,
        "state": "sent", "filled": Decimal(0), "amends": 0, "sent_as": action, "order": first["client_order_id"],
        "venue_order_id": first["venue_order_id"], "wish": first["wish_id"],
    }  # fmt: skip


def _follow(order: Row, event: sqlite3.Row, price: Decimal, size: Decimal) -> None:
    """Take in what happened to an order."""
    kind = event["kind"]
    order["venue_order_id"] = event["venue_order_id"] or order["venue_order_id"]
    if kind == "filled":
        order["filled"] += size
        if event["remaining_lots"] == 0 and order["ended_time"] is None:
            order["state"], order["ended_time"] = "filled", _times(event["time_ns"])["time"]
    elif kind in ("accepted", "amended"):
        order["state"], order["last_price"] = "working", price
        order["amends"] += kind == "amended"
    elif kind == "cancelled" or order["state"] == "sent":  # else a change of a working order was refused: it stays
        order["state"], order["ended_time"] = kind, _times(event["time_ns"])["time"]
        order["reason"], order["venue_code"] = event["reason"] or None, event["venue_code"] or None


KINDS: dict[str, Callable[[sqlite3.Connection], Table]] = {
    "fills": _fills,
    "orders": _orders,
    "messages": _messages,
    "pnl": _pnl,
}


def _write(table: Table, file: TextIO) -> int:
    columns, rows = table
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count


def _times(time_ns: int) -> dict[str, Any]:
    moment = datetime.fromtimestamp(time_ns // NS_PER_S, UTC)
    return {"time": f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns % NS_PER_S:09d}Z", "time_ns": time_ns}


def _steps(audit: sqlite3.Connection, column: str) -> dict[str, Decimal]:
    """Return the tick or lot size of every instrument."""
    return {row["instrument"]: Decimal(f"{row[column]:.12g}") for row in audit.execute("SELECT * FROM instruments")}
