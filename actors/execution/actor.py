"""The execution actor: brings the venue to strategy's wishes, and decides no price.

It connects, learns the instruments, recovers (truth.py) and then works whenever strategy rings.
It ends only after the venue has confirmed that no order of ours is open, or after a bound that says so.
"""

from __future__ import annotations

import asyncio
import os

from actors.execution.books import ToldFills, read_told_fills
from actors.execution.commands import Commands, outcome
from actors.execution.core import ExecutionCore
from actors.execution.desk import disown_accounts
from actors.execution.grids import instruments_of_session
from actors.execution.instruments import chosen_instruments
from actors.execution.journal_keeper import JournalKeeper
from actors.execution.ports import Measures, NoBell, Ports, Shared
from domain.clock import NS_PER_S
from domain.errors import ConnectivityError, ProtocolError, VenueError
from domain.order import RequestKind
from domain.reports import OrderReport, PositionReport, TradeReport
from messages.commands import Command
from runtime.actor import Actor, ActorContext, Handler
from trading.orders.config import order_label, stop_label
from venues.conditional import ConditionalOrderReport
from venues.config import venue_url
from venues.quoting import ProtectionReport, QuoteFailure
from venues.thalex.order_gateway import ThalexOrderGateway

WATCHED = ("market_data", "risk")
STOP_AT_ONCE_S = 0.8
INSTRUMENTS_PAUSE_S = 0.5


class ExecutionActor(Actor):
    """The process around the core: connection, shared memory, commands. Listens to the gateway."""

    poll_interval_s = 0.01

    def __init__(self, ctx: ActorContext) -> None:
        super().__init__(ctx)
        self._core: ExecutionCore | None = None
        self._work_asked = False
        self._retry: asyncio.TimerHandle | None = None
        self._has_begun = False
        self._is_live = False
        self._judged: list[int] = []

    # ---- life ----------------------------------------------------------------------------------------

    def on_start(self) -> None:
        ctx = self.ctx
        self._ports = self._open_ports()
        self._market = ctx.table_reader("market")
        disown_accounts(self._ports.shared.accounts)
        self._told = read_told_fills(ctx.ring_reader("order_events", start="oldest")) if ctx.epoch > 1 else ToldFills()
        self._gateway = self.open_gateway()
        self._gateway.start()

    def open_gateway(self) -> ThalexOrderGateway:
        """Return the connection that carries our orders."""
        ctx = self.ctx
        label = order_label(ctx.config.execution, ctx.session)
        url = venue_url(ctx.config.venue, os.environ)
        return ThalexOrderGateway(
            ctx.config.venue, url, ctx.credentials, ctx.state_dir, self, ctx.clock, ctx.log, ctx.spawn,
            quote_listener=self if ctx.config.execution.mode == "mass_quotes" else None,
            conditional_listener=self if ctx.config.execution.protection.kind != "off" else None,
            own_labels=frozenset({label, stop_label(label)}), own_instruments=frozenset(ctx.instrument_names),
            gives_up=ctx.epoch == 1,
        )  # fmt: skip

    def has_news(self) -> bool:
        core = self._core
        return core is None or core.has_new_wish()

    def on_early_ring(self) -> None:
        """A book is coming: note which ones strategy has judged before it."""
        market = self._market
        self._judged = [market.sequence(row) for row in range(market.rows)]

    def is_called_off(self) -> bool:
        """Return whether strategy has judged a book since, and it wished for nothing new."""
        market = self._market
        return any(market.sequence(row) != before for row, before in enumerate(self._judged))

    def do_work(self, now_ns: int) -> int:
        """Quote what is new; called after every doorbell and at least every `poll_interval_s`."""
        core = self._core
        if core is None:
            self._gateway.keep_alive(now_ns)
            return 0
        sent = core.do_work(now_ns)
        wait_ns = core.throttle_wait_ns(now_ns)
        if wait_ns and self._retry is None:  # one timer: a spinning loop comes here thousands of times meanwhile
            self._retry = asyncio.get_running_loop().call_later(wait_ns / NS_PER_S, self._retry_now)
        return sent

    def _retry_now(self) -> None:
        self._retry = None
        self._work_soon()

    async def stop(self) -> None:
        """Cancel everything, confirm and end, in little more than STOP_AT_ONCE_S."""
        if self._core is not None:
            open_orders = await self._core.operations.stop_at_once(STOP_AT_ONCE_S)
            self.ctx.log.info("orders cancelled", outcome=outcome(open_orders))
        await self._gateway.close()

    def on_close(self) -> None:
        if self._core is not None:
            self._core.close()

    # ---- from the gateway (OrderListener) ------------------------------------------------------------

    def on_ready(self) -> None:
        if self._core is None:
            self.ctx.spawn(self._begin(), "begin")
        else:
            self._core.on_ready()

    def on_disconnected(self, reason: str) -> None:
        if self._core is not None:
            self._core.on_disconnected(reason)

    def on_orders(self, reports: list[OrderReport]) -> None:
        if self._core is not None:
            self._core.on_orders(reports)

    def on_rejected(self, kind: RequestKind, client_order_id: int, error: VenueError) -> None:
        if self._core is not None:
            self._core.on_rejected(kind, client_order_id, error)

    def on_quoted(self, quote_id: int, failures: list[QuoteFailure]) -> None:
        if self._core is not None and self._core.mass_quotes is not None:
            self._core.mass_quotes.on_quoted(quote_id, failures)

    def on_quote_rejected(self, quote_id: int, error: VenueError) -> None:
        if self._core is not None and self._core.mass_quotes is not None:
            self._core.mass_quotes.on_quote_rejected(quote_id, error)

    def on_protection(self, reports: list[ProtectionReport]) -> None:
        if self._core is not None and self._core.mass_quotes is not None:
            self._core.mass_quotes.on_protection(reports)

    def on_conditional_orders(self, reports: list[ConditionalOrderReport]) -> None:
        if self._core is not None and self._core.stops is not None:
            self._core.stops.on_conditional_orders(reports)

    def on_trades(self, trades: list[TradeReport]) -> None:
        if self._core is not None:
            self._core.on_trades(trades)

    def on_positions(self, positions: list[PositionReport], is_snapshot: bool) -> None:
        if self._core is not None:
            self._core.on_positions(positions, is_snapshot)

    def on_unreadable_trade(self, instrument_name: str, reason: str) -> None:
        self.ctx.counters.add("unreadable_trades")
        if self._core is not None:
            self._core.on_unreadable_trade(instrument_name, reason)

    def on_bad_frame(self, error: ProtocolError) -> None:
        self.ctx.counters.add("bad_frames")
        self.ctx.counters.add(f"bad_frames_{error.refusal}")
        if self._core is not None:
            self._core.on_bad_frame()

    def on_alive(self, now_ns: int) -> None:
        """The gateway itself watches for silence."""

    # ---- start ---------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Learn the instruments, build the core and let it recover; what came before is asked for again."""
        while self._gateway.is_ready:
            try:
                instruments = await self._gateway.instruments()
            except (ConnectivityError, VenueError) as error:
                self.ctx.log.warning("the venue does not tell its instruments", reason=str(error))
                await asyncio.sleep(INSTRUMENTS_PAUSE_S)
                continue
            if self._has_begun or not self._gateway.is_ready:
                return  # a younger connection is at it
            self._has_begun = True
            core = ExecutionCore(
                self.ctx.config.execution, self._ports, self._gateway,
                chosen_instruments(
                    self.ctx.config.instruments,
                    instruments,
                    instruments_of_session(self._ports.shared.instruments, self.ctx.instrument_names),
                ),
                quote_gateway=self._gateway, conditional_gateway=self._gateway,
                told=self._told, epoch=self.ctx.epoch, on_recovered=self._on_recovered,
            )  # fmt: skip
            self._core = core
            keeper = JournalKeeper(
                core.journal, self.ctx.config.execution.journal, core.quotes.holds, self.ctx.clock, self.ctx.log,
                self._work_soon, core.books.manager.may_trade, core.truth.settled,
            )  # fmt: skip
            self.ctx.spawn(keeper.run(), "journal")
            core.on_ready()
            return

    def _on_recovered(self) -> None:
        if not self._is_live:
            self._is_live = True
            self.ctx.set_live()
        self._work_soon()

    def _work_soon(self) -> None:
        """Have `do_work` called right after the present callback, once."""
        if not self._work_asked:
            self._work_asked = True
            asyncio.get_running_loop().call_soon(self._work_once)

    def _work_once(self) -> None:
        self._work_asked = False
        self.do_work(self.ctx.clock.monotonic_ns())

    def _open_ports(self) -> Ports:
        ctx = self.ctx
        strategies = tuple(ctx.topology.strategy_of(name) or "" for name in ctx.instrument_names)
        shared = Shared(
            instruments=ctx.table_reader("instruments"),
            wishes=ctx.table_reader("wishes"),
            limits=ctx.table_reader("limits"),
            book_table=ctx.table_reader("book_table"),
            heartbeats={name: ctx.table_reader(f"heartbeats.{name}") for name in (*ctx.topology.strategies, *WATCHED)},
            accounts=ctx.table_writer("accounts"),
            order_events=ctx.ring_writer("order_events"),
            bells=[ctx.doorbell(name) if name else NoBell() for name in strategies],
        )
        stages = ("wish", "gate", "send", "tick_to_order", "throttle_wait", "answer")
        measures = Measures(**{stage: ctx.histogram(stage) for stage in stages}, counts=ctx.counters)
        return Ports(
            ctx.clock, ctx.log, ctx.run_dir, ctx.session, ctx.instrument_names, strategies, shared, measures, ctx.spawn,
            self._work_soon,
        )  # fmt: skip

    # ---- commands ------------------------------------------------------------------------------------

    @property
    def handlers(self) -> dict[type[Command], Handler]:
        return Commands(self.ctx, lambda: self._gateway, lambda: self._core, self._work_soon).handlers
