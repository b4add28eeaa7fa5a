"""Risk's view of a venue without processes: an account whose history, positions and disk a test moves by hand."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from actors.risk.books import BooksKeeper
from actors.risk.venue import VenueView
from domain.clock import NS_PER_S, SimClock
from domain.order import LiquiditySide, Side
from domain.reports import MarginReport, PositionReport, SettlementReport, TradeReport
from tests.model_venue import INSTRUMENT
from trading.orders.config import ExecutionConfig
from trading.risk.account_view import AccountView
from trading.risk.latch import RiskMemory

WALL_NS = 1_700_000_000 * NS_PER_S
ZERO = Decimal(0)
OTHER = dataclasses.replace(INSTRUMENT, name=f"{INSTRUMENT.name}-2", contract_multiplier=Decimal("0.1"))
NAMES = (INSTRUMENT.name, OTHER.name)
SYSTEM_CALLS = ("open", "pwrite", "fdatasync", "fsync", "replace")


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_at(is_next: Callable[[], bool]) -> Iterator[None]:
    """Kill at the first system call of the disk for which `is_next`, in the middle of it where it writes."""

    def call(name: str, real: Callable[..., Any], *args: Any, **terms: Any) -> Any:
        if is_next():
            if name == "pwrite":
                real(args[0], args[1][: len(args[1]) // 2], args[2])
            raise Killed
        return real(*args, **terms)

    with ExitStack() as stack:
        for name in SYSTEM_CALLS:
            stack.enter_context(patch.object(os, name, partial(call, name, getattr(os, name))))
        yield


def a_trade(number: int, side: Side, time_ns: int) -> TradeReport:
    after = Decimal("0.001") if side is Side.BUY else ZERO
    return TradeReport(
        f"t{number}", f"v{number}", 0, INSTRUMENT.name, side, Decimal(100), Decimal("0.001"), Decimal("0.01"), after,
        ZERO, ZERO, LiquiditySide.MAKER, "", time_ns,
    )  # fmt: skip


class FakeGateway:
    """An account whose history shows the trades of `history`, and whose positions are what they add up to.

    Attributes:
        moved: base units that came or went without a trade, of the first instrument.
        asked: from which time on the history was asked for, and how many trades the answer had, each time.
    """

    is_ready = True
    unreadable_orders = unreadable_positions = 0

    def __init__(self) -> None:
        self.history: list[TradeReport] = []
        self.moved = ZERO
        self.instrument = INSTRUMENT
        self.asked: list[tuple[int, int]] = []
        self.unrealised_funding = ZERO  # of the first instrument
        self.paid: list[SettlementReport] = []  # at daily settlements
        self.asked_settlements: list[int] = []

    async def settlements(self, since_realtime_ns: int) -> list[SettlementReport]:
        self.asked_settlements.append(since_realtime_ns)
        return [report for report in self.paid if report.time_ns >= since_realtime_ns]

    async def instruments(self) -> dict[str, Any]:
        return {self.instrument.name: self.instrument, OTHER.name: OTHER}

    async def trade_history(self, since_realtime_ns: int) -> list[TradeReport]:
        found = [trade for trade in self.history if trade.time_ns >= since_realtime_ns]
        self.asked.append((since_realtime_ns, len(found)))
        return found

    async def margin(self) -> MarginReport:
        return MarginReport(Decimal(1000), ZERO)

    async def positions(self) -> list[PositionReport]:
        held = dict.fromkeys(NAMES, ZERO)
        held[INSTRUMENT.name] = self.moved
        for trade in self.history:
            held[trade.instrument_name] += trade.side * trade.size
        return [
            PositionReport(
                name, position, Decimal(100), Decimal(100), ZERO, ZERO,
                self.unrealised_funding if name == INSTRUMENT.name else ZERO,
            )
            for name, position in held.items()
        ]  # fmt: skip

    async def open_orders(self) -> list[Any]:
        return []


class Scene:
    """A view whose tasks run to their end as soon as they are started.

    Attributes:
        account: which it is, as the next life believes.
        warnings: lines of the log, with their `reason`.
    """

    def __init__(self, folder: Path, wall_ahead_ns: int = 0, held: Decimal = ZERO) -> None:
        """`folder`: of the run; `held` when it begins; `wall_ahead_ns`: how far our clock is ahead of the venue's."""
        self.clock = SimClock(1_000 * NS_PER_S, WALL_NS + wall_ahead_ns)
        self.wall_ahead_ns = wall_ahead_ns
        self.gateway = FakeGateway()
        self.gateway.moved = held
        self.account = ""
        self.warnings: list[str] = []
        self.context: Any = SimpleNamespace(
            config=SimpleNamespace(execution=ExecutionConfig()),
            session="test",
            run_dir=folder,
            clock=self.clock,
            instrument_names=NAMES,
            session_start_realtime_ns=WALL_NS + wall_ahead_ns,
            spawn=self.run,
            log=SimpleNamespace(info=lambda *_, **__: None, warning=self._warn, error=self._warn),
            counters=SimpleNamespace(add=lambda _: None),
        )
        self.monitor: Any = SimpleNamespace(account=AccountView(NAMES))
        for row in range(len(NAMES)):
            self.monitor.account.on_mark(row, 100.0)
        self.start(RiskMemory())

    def start(self, memory: RiskMemory) -> None:
        """Begin a life of risk."""
        gateway: Any = self.gateway
        self.view = VenueView(
            self.context, self.monitor, memory, lambda _: gateway, lambda _: None, lambda: -self.wall_ahead_ns,
            BooksKeeper(self.context, self.account),
        )  # fmt: skip
        self.view.on_ready()

    def start_again(self, forgiven: Mapping[str, int] | None = None) -> None:
        """Begin the next life, which remembers how the run began."""
        known = dict(forgiven or {})
        self.start(RiskMemory(openings=self.view.openings, since_ns=self.view.since_ns, forgiven=known))

    def run(self, coroutine: Coroutine[Any, Any, None], _name: str) -> None:
        asyncio.run(coroutine)

    def pass_time(self, duration_ns: int) -> int:
        """Let time pass and return the venue's clock."""
        self.clock.advance(duration_ns)
        self.view.do_work(self.clock.monotonic_ns())
        return self.clock.realtime_ns() - self.wall_ahead_ns

    def fees(self) -> Decimal:
        line = self.view.pnl_by_instrument()[INSTRUMENT.name]
        assert line is not None
        return line.fees

    def _warn(self, text: str, **told: Any) -> None:
        self.warnings.append(f"{text}: {told.get('reason', '')}")
