"""An order-by-order recording written by hand, for tests. Tick 1 $, lot 1, times in ms."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backtest.data.container import EventFile, EventWriter, Header
from backtest.data.events import (
    ADD,
    ASK,
    BID,
    BOTH_SIDES,
    CANCEL,
    CLEAR,
    EVENT,
    EVERY_PRICE,
    FILL,
    FINAL,
    MODIFY,
    TRADE,
)
from backtest.data.findings import Findings, Repair
from backtest.data.orders import MarketOrders
from tests.engine_case import MS, T0_NS

SIDES = {1: BID, -1: ASK}


class OrderTape:
    """What happens to the orders of others, each row a message."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, int, int, int]] = []

    def _row(self, time_ms: float, flags: int, order_id: int = 0, ticks: int = 0, lots: int = 0) -> OrderTape:
        time_ns = T0_NS + round(time_ms * MS)
        self.rows.append((time_ns, time_ns + MS, flags | FINAL | BOTH_SIDES, ticks, lots, order_id))
        return self

    def add(self, time_ms: float, order_id: int, side: int, ticks: int, lots: int) -> OrderTape:
        return self._row(time_ms, ADD | SIDES[side], order_id, ticks, lots)

    def modify(self, time_ms: float, order_id: int, ticks: int, lots: int) -> OrderTape:
        return self._row(time_ms, MODIFY, order_id, ticks, lots)

    def cancel(self, time_ms: float, order_id: int) -> OrderTape:
        return self._row(time_ms, CANCEL, order_id)

    def fill(self, time_ms: float, order_id: int, lots: int) -> OrderTape:
        return self._row(time_ms, FILL, order_id, 0, lots)

    def trade(self, time_ms: float, aggressor: int, ticks: int, lots: int) -> OrderTape:
        return self._row(time_ms, TRADE | SIDES[aggressor], 0, ticks, lots)

    def clear(self, time_ms: float, side: int) -> OrderTape:
        return self._row(time_ms, CLEAR | SIDES[side], 0, EVERY_PRICE)


def numbered(tape: OrderTape, *repairs: Repair) -> np.ndarray:
    """Return the events that come of it."""
    return MarketOrders(Findings([Path("orders.csv")], frozenset(repairs))).take(np.array(tape.rows, EVENT))


def written(folder: Path, tape: OrderTape) -> EventFile:
    """Write the events that come of it."""
    path = folder / "orders.events"
    with EventWriter(path) as writer:
        writer.write(numbered(tape))
        writer.finish(Header(instrument="ORDERS", tick_size=1.0, lot_size=1.0))
    return EventFile(path)
