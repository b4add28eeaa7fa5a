"""What the session told of its fills: order events in shared memory, journal, summary. Each must say each fill once."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from actors.execution.journal_format import Filled
from actors.execution.read_journal import read_journal
from domain.codes import OrderEventKind
from shm.attach import Session
from tests.faults.order_log import Fill, FillKey, OrderLog


class ToldFill(NamedTuple):
    local_time_ns: int
    is_buy: bool
    price: Decimal
    size: Decimal


class OrderEvents:
    """Follows the ring of order events; `poll` reads on.

    Attributes:
        fills: what was told of each fill, in order; more than one is a fill counted twice.
        lost: records that were overwritten before this reader came; the comparison is void then.
    """

    def __init__(self, session: Session) -> None:
        self._ring = session.ring("order_events", "oldest")
        grid = session.table("instruments").read(0)
        assert grid is not None, "the instruments table is empty while orders are open"
        self._tick_size, self._lot_size = Decimal(str(grid.tick_size)), Decimal(str(grid.lot_size))
        self.fills: dict[FillKey, list[ToldFill]] = {}

    @property
    def lost(self) -> int:
        return self._ring.lost

    def poll(self) -> None:
        records = self._ring.read()
        for record in records[records["kind"] == OrderEventKind.FILLED]:
            key = (record["trade_id"].decode(), record["venue_order_id"].decode(), int(record["leg_index"]))
            price = int(record["price_ticks"]) * self._tick_size
            size = int(record["size_lots"]) * self._lot_size
            fill = ToldFill(int(record["local_time_ns"]), bool(record["side"] > 0), price, size)
            self.fills.setdefault(key, []).append(fill)


def journal_fills(path: Path) -> Counter[FillKey]:
    """Return how often the journal tells each fill."""
    return Counter(entry.key for entry in read_journal(path) if isinstance(entry, Filled))


def disagreements(log: OrderLog, events: OrderEvents, journal: Path, summary: dict[str, Any]) -> list[str]:
    """Return what the session's own accounts of its fills say differently from the exchange, once it has ended."""
    found = []
    if events.lost:
        found.append(f"{events.lost} order events were overwritten before they were read: nothing can be compared")
    if log.twice:
        found.append(f"the exchange itself told {len(log.twice)} fills twice: {log.twice[:3]}")
    found += _compare("order events", Counter({key: len(told) for key, told in events.fills.items()}), log)
    found += _compare("journal", journal_fills(journal), log)
    found += _differing_contents(log, events)
    found += position_disagreements(log, summary)
    if summary["fills"] != len(log.fills):
        found.append(f"summary says {summary['fills']} fills, the exchange {len(log.fills)}")
    return found


def position_disagreements(log: OrderLog, summary: dict[str, Any]) -> list[str]:
    """Return what a summary says of position and open orders that the exchange does not."""
    found = []
    true = {key: value for key, value in log.position.items() if value}
    for name in ("position", "venue_position"):
        said = {key: Decimal(value) for key, value in summary[name].items() if Decimal(value)}
        if said != true:
            found.append(f"summary {name} {summary[name]}, by the exchange {true}")
    if summary["open_orders_at_exit"] != 0 or log.open:
        found.append(f"{summary['open_orders_at_exit']} orders open at the end, by the exchange {len(log.open)}")
    return found


def _compare(who: str, told: Counter[FillKey], log: OrderLog) -> list[str]:
    found = []
    if missing := [key for key in log.fills if key not in told]:
        found.append(f"{who}: {len(missing)} of {len(log.fills)} fills are missing, e.g. {missing[0]}")
    if repeated := [key for key, times in told.items() if times > 1]:
        found.append(f"{who}: {len(repeated)} fills are told twice, e.g. {repeated[0]}")
    if invented := [key for key in told if key not in log.fills]:
        found.append(f"{who}: {len(invented)} fills never happened, e.g. {invented[0]}")
    return found


def _differing_contents(log: OrderLog, events: OrderEvents) -> list[str]:
    """Return one line when side, price or size of what was told is not the exchange's."""
    both = [(key, told[0][1:], log.fills[key][1:]) for key, told in events.fills.items() if key in log.fills]
    wrong = [each for each in both if each[1] != each[2]]
    return [f"order events: {len(wrong)} fills differ in side, price or size, e.g. {wrong[0]}"] if wrong else []


def lateness_ns(fill: Fill, told: ToldFill) -> int:
    """Return how long after the exchange's match the fill was told in shared memory."""
    return told.local_time_ns - fill.monotonic_ns
