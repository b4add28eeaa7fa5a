"""A live session as the exchange told it to us, in the rows in which a backtest is told: for comparing the two."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from backtest.engine.records import ANSWER
from domain.codes import OrderEventKind
from domain.errors import UserError
from domain.order import LiquiditySide, Side
from runtime.recordings.audit import open_audit

FEE_UNITS_PER_POINT = 10**8
_NOT_OURS = 0  # order id of a fill whose order is not in our book
_KINDS = ("accepted", "amended", "cancelled", "rejected")
_EVENTS = f"""
    SELECT exchange_time_ns, time_ns AS local_time_ns, kind, client_order_id, venue_order_id, side, price_ticks,
           size_lots, remaining_lots, position_lots
    FROM order_events WHERE instrument = ? AND kind IN ({", ".join(f"'{kind}'" for kind in _KINDS)})
"""
# A fill is a row of the journal and an event. Its time is the stamp of whichever the recorder read first, the journal's
# some 50 µs before the event's; the position after it is in the row from the event, and the same in both.
_FILLS = """
    SELECT f.exchange_time_ns, f.time_ns AS local_time_ns, 'filled' AS kind, f.client_order_id, f.venue_order_id,
           f.side, f.price, f.size, f.fee, f.liquidity, f.position_lots,
           (SELECT remaining_lots FROM (
                SELECT e.remaining_lots, abs(e.time_ns - f.time_ns) AS away_ns
                FROM order_events e WHERE e.client_order_id = f.client_order_id AND e.kind = 'filled'
                AND e.venue_order_id = f.venue_order_id AND e.position_lots = f.position_lots
                ORDER BY away_ns LIMIT 1)) AS remaining_lots
    FROM fills f WHERE f.instrument = ?
"""
_UNKNOWN = -1  # lots that remain after a fill whose event was lost


def live_answers(run: Path, instrument: str) -> npt.NDArray[np.void]:
    """Return what became of our orders in one instrument of a recorded session, ANSWER rows by local time.

    Prices in ticks, sizes in lots, fees in points · 1e-8 (a point: one tick on one lot); a fee that the venue had
    not told yet as the session ended is 0. `market_*` and `reason` are 0: no engine was there.

    Raises:
        UserError: when the run has no audit trail, or does not know the instrument.
    """
    audit = open_audit(run)
    try:
        grid = audit.execute("SELECT * FROM instruments WHERE instrument = ?", (instrument,)).fetchone()
        if grid is None:
            return np.zeros(0, ANSWER)
        tick, lot = Decimal(repr(grid["tick_size"])), Decimal(repr(grid["lot_size"]))
        point = tick * lot * Decimal(repr(grid["contract_multiplier"]))
        answers = [_answer(dict(row), tick, lot, point) for row in audit.execute(_EVENTS, (instrument,))]
        answers += [_answer(dict(row), tick, lot, point) for row in audit.execute(_FILLS, (instrument,))]
    finally:
        audit.close()
    rows = np.zeros(len(answers), ANSWER)
    for i, answer in enumerate(answers):
        for name, value in answer.items():
            rows[name][i] = value
    rows = rows[np.argsort(rows["local_time_ns"], kind="stable")]
    _reckon_unknown(rows)
    return rows


def _reckon_unknown(rows: npt.NDArray[np.void]) -> None:
    """Write what remained after the fills whose events were lost: what the order had left before, less the fill."""
    left: dict[int, int] = {}
    for row in rows:
        order = int(row["order_id"])
        if row["remaining_lots"] == _UNKNOWN:
            row["remaining_lots"] = max(left.get(order, 0) - int(row["size_lots"]), 0)
        left[order] = int(row["remaining_lots"])


def _answer(told: dict[str, Any], tick: Decimal, lot: Decimal, point: Decimal) -> dict[str, int]:
    if told["kind"] == "filled":
        told["price_ticks"] = round(Decimal(told["price"]) / tick)
        told["size_lots"] = round(Decimal(told["size"]) / lot)
    return {
        "exchange_time_ns": told["exchange_time_ns"] or told["local_time_ns"],
        "local_time_ns": told["local_time_ns"],
        "kind": OrderEventKind[told["kind"].upper()],
        "order_id": told["client_order_id"] or _NOT_OURS,
        "side": Side[told["side"].upper()],
        "price_ticks": told["price_ticks"],
        "size_lots": told["size_lots"],
        "remaining_lots": _UNKNOWN if told["remaining_lots"] is None else told["remaining_lots"],
        "position_lots": told["position_lots"] or 0,
        "liquidity_side": LiquiditySide[told["liquidity"].upper()] if told.get("liquidity") else 0,
        "fee": round(Decimal(told.get("fee") or 0) / point * FEE_UNITS_PER_POINT),
    }


def by_exchange_time(answers: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Return ANSWER rows in the order in which things happened at the exchange.

    Of an amended order the venue tells when it was created, not when it was amended: that moment is taken to be the
    median way back before we heard of it, and never after what the same order's next answer tells.
    """
    answers = answers[np.argsort(answers["local_time_ns"], kind="stable")]
    accepted = answers[answers["kind"] == OrderEventKind.ACCEPTED]
    way_ns = int(np.median(accepted["local_time_ns"] - accepted["exchange_time_ns"])) if len(accepted) else 0
    is_amend = answers["kind"] == OrderEventKind.AMENDED
    guessed = np.maximum(answers["exchange_time_ns"], answers["local_time_ns"] - way_ns)
    times = np.where(is_amend, guessed, answers["exchange_time_ns"])
    next_ns: dict[int, int] = {}
    for place in range(len(answers) - 1, -1, -1):
        order = int(answers["order_id"][place])
        if order != _NOT_OURS:
            times[place] = next_ns[order] = min(int(times[place]), next_ns.get(order, int(times[place])))
    answers["exchange_time_ns"] = times
    return answers[np.argsort(times, kind="stable")]


class Ways(NamedTuple):
    """Times measured in a session, ns: from sending an insert until the exchange accepted it, from its telling us
    something of an order until we heard."""

    entry_ns: npt.NDArray[np.int64]
    answer_ns: npt.NDArray[np.int64]


def measured_ways(run: Path) -> Ways:
    """Return how long orders of a recorded session were on their way, all instruments together.

    Where the clocks of venue and machine differ by more than the way, it counts as 0.

    Raises:
        UserError: when the run has no audit trail, or no order was accepted.
    """
    with closing(open_audit(run)) as audit:
        accepted = audit.execute(
            "SELECT e.exchange_time_ns - min(s.time_ns), e.time_ns - e.exchange_time_ns FROM order_events e "
            "JOIN orders_sent s ON s.client_order_id = e.client_order_id "
            "WHERE e.kind = 'accepted' AND e.exchange_time_ns > 0 GROUP BY e.client_order_id"
        ).fetchall()
    if not accepted:
        raise UserError(f"{run}: no order was accepted in this session: it tells no latency")
    entry, answer = (np.maximum(0, np.array(column, np.int64)) for column in zip(*map(tuple, accepted), strict=True))
    return Ways(entry, answer)
