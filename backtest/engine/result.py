"""What a run came to: fills, orders and a series of seconds, as structured arrays that anybody can read.

Prices are in ticks, sizes in lots, money in ticks · lots ("points": `money` $ each), fees and funding in points · 1e-8,
so that sums are exact. Times are Unix ns.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.codes import OrderEventKind

Rows = npt.NDArray[np.void]
FEE_UNIT = 1e-8  # points in a unit of `fee`, `fees`, `funding`


def _integers(*names: str) -> list[tuple[str, str]]:
    return [(name, "<i8") for name in names]


FILLS = np.dtype(
    _integers(
        "time_ns",  # the exchange's
        "local_time_ns",  # we hear of it
        "order_id",
        "side",  # +1 we bought, -1 we sold
        "price_ticks",
        "size_lots",
        "remaining_lots",  # of the order
        "position_lots",  # after it
        "liquidity_side",  # a LiquiditySide
        "rule",  # a FillRule: what filled it
        "fee",  # points · 1e-8, rebates negative
        "market_bid_ticks",  # best of the recorded book as it happened; 0 = none
        "market_ask_ticks",
    )
)

ORDERS = np.dtype(
    _integers(
        "order_id",
        "side",
        "begin_time_ns",  # accepted or rejected, the exchange's clock
        "end_time_ns",  # 0 = open as the recording ended
        "price_ticks",  # at first
        "last_price_ticks",
        "size_lots",  # the last total
        "filled_lots",
        "amends",
        "end_kind",  # an OrderEventKind: FILLED, CANCELLED, REJECTED; 0 = open
        "end_reason",  # a Reason; of a fill 0
    )
)

# One row a `sample_s`, on our clock. What is ours at the exchange is there as it is, not as we know it.
SERIES = np.dtype(
    [
        *_integers(
            "time_ns",
            "market_bid_ticks",  # the recorded book at the exchange
            "market_ask_ticks",
            "own_bid_ticks",  # best of our open orders; 0 = none
            "own_ask_ticks",
            "position_lots",
            "cash",  # −Σ side · ticks · lots, points
            "fees",  # points · 1e-8, paid so far
            "funding",  # points · 1e-8, paid so far
            "fills",  # so far
            "volume_lots",
            "bid_quoted_ns",  # time so far in which a bid of ours was open
            "ask_quoted_ns",
        ),
        ("mid", "<f8"),  # $
        ("mark", "<f8"),  # $; the mid where no mark price is recorded
        ("fair_price", "<f8"),  # of our newest quote, $; likewise those below
        ("reservation_price", "<f8"),
        ("half_spread", "<f8"),
        ("sigma", "<f8"),  # $/√s
    ]
)


@dataclass(frozen=True, slots=True)
class RunResult:
    """One instrument of one run.

    Attributes:
        instrument: its name.
        tick_size: $ for a tick.
        lot_base: base units for a lot.
        parameters: what was run: `Settings` as nested plain values, for a report or a table of a search.
        answers: everything that the exchange told, ANSWER rows (backtest/engine/records.py) in its order.
        series: SERIES rows.
        venue, run: the engine's counters at the end, shape (1,): VENUE and RUN.
    """

    instrument: str
    tick_size: float
    lot_base: float
    parameters: dict[str, Any]
    answers: Rows
    series: Rows
    venue: Rows
    run: Rows

    @property
    def money(self) -> float:
        """$ for a point: one tick on one lot."""
        return self.tick_size * self.lot_base

    @property
    def fills(self) -> Rows:
        """FILLS rows in the exchange's order."""
        told = self.answers[np.flatnonzero(self.answers["kind"] == OrderEventKind.FILLED)]
        fills = np.zeros(len(told), FILLS)
        renamed = {"time_ns": "exchange_time_ns", "rule": "reason"}
        for name in FILLS.names or ():
            fills[name] = told[renamed.get(name, name)]
        return fills

    @property
    def orders(self) -> Rows:
        """ORDERS rows, by id."""
        return orders_of(self.answers)

    @property
    def fills_hash(self) -> str:
        """A hash of all answers: the same input gives the same one on a machine."""
        return hashlib.sha256(self.answers.view(np.uint8).data).hexdigest()[:16]

    def equity(self) -> npt.NDArray[np.float64]:
        """Return cash and position at the mid, less fees and funding, $ at each row of `series`."""
        series = self.series
        cash = series["cash"] - (series["fees"] + series["funding"]) * FEE_UNIT
        worth: npt.NDArray[np.float64] = cash * self.money + series["position_lots"] * self.lot_base * series["mid"]
        return worth


def orders_of(answers: Rows) -> Rows:
    """Return one ORDERS row for each order that the exchange told of, by id."""
    if not len(answers):
        return np.zeros(0, ORDERS)
    by_order = answers[np.argsort(answers["order_id"], kind="stable")]
    first = np.flatnonzero(np.diff(by_order["order_id"], prepend=by_order["order_id"][0] - 1))
    last = np.append(first[1:], len(by_order)) - 1
    kinds = by_order["kind"]
    # Of a fill price and size are its own: an order's stand in its other answers.
    told = np.where(kinds == OrderEventKind.FILLED, -1, np.arange(len(by_order)))
    told = np.maximum.accumulate(told)[last]
    orders = np.zeros(len(first), ORDERS)
    for name in ("order_id", "side", "price_ticks"):
        orders[name] = by_order[name][first]
    orders["begin_time_ns"] = by_order["exchange_time_ns"][first]
    orders["last_price_ticks"] = by_order["price_ticks"][told]
    orders["size_lots"] = by_order["size_lots"][told]
    orders["filled_lots"] = np.add.reduceat(np.where(kinds == OrderEventKind.FILLED, by_order["size_lots"], 0), first)
    orders["amends"] = np.add.reduceat((kinds == OrderEventKind.AMENDED).astype(np.int64), first)
    _end(orders, by_order, last)
    return orders


def _end(orders: Rows, by_order: Rows, last: npt.NDArray[np.int64]) -> None:
    """Write how each order ended, by its last answer; one that was rejected as unknown had ended before."""
    kinds, left = by_order["kind"], by_order["remaining_lots"]
    ending = (OrderEventKind.CANCELLED, OrderEventKind.REJECTED, OrderEventKind.FILLED)
    is_over = np.isin(kinds, ending) & (left == 0)
    ends = np.where(is_over, np.arange(len(by_order)), len(by_order))
    begin = np.append(0, last[:-1] + 1)
    end = np.minimum.reduceat(ends, begin)
    found = end < len(by_order)
    end = end[found]
    orders["end_time_ns"][found] = by_order["exchange_time_ns"][end]
    orders["end_kind"][found] = kinds[end]
    orders["end_reason"][found] = np.where(kinds[end] == OrderEventKind.FILLED, 0, by_order["reason"][end])
