"""The execution actor: brings the venue to strategy's wishes, and decides no price.

It connects, learns the instruments, recovers (truth.py) and then works whenever strategy rings.
It ends only after the venue has confirmed that no order of ours is open, or after a bound that says so.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from types import MappingProxyType

from actors.execution.books import ToldFills, read_told_fills
from actors.execution.core import ExecutionCore
from actors.execution.desk import disown_accounts
from actors.execution.grids import instruments_of_session
from actors.execution.ports import Measures, NoBell, Ports, Shared
from domain.clock import NS_PER_S
from domain.errors import ConfigError, ConnectivityError, ProtocolError, VenueError
from domain.instrument import Instrument, InstrumentKind
from domain.reports import OrderReport, PositionReport, TradeReport
from messages.commands import CancelAll, Command, Flatten, Halt, Hedge, Reduce, Reply, Status, Stop
from runtime.actor import Actor, ActorContext, Handler
from runtime.config import InstrumentConfig
from venues.conditional import ConditionalOrderReport
from venues.config import venue_url
from venues.gateway import RequestKind
from venues.quoting import ProtectionReport, QuoteFailure
from venues.thalex.order_gateway import ThalexOrderGateway

WATCHED = ("market_data", "risk")
STOP_AT_ONCE_S = 0.8
JOURNAL_INTERVAL_S = 0.2
INSTRUMENTS_PAUSE_S = 0.5
CORE_POLL_S = 0.01
CONFIRMED = "0 open orders, confirmed by the venue"
NOT_STARTED = "execution has not reached the venue yet: nothing was sent"


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

    # ---- life ----------------------------------------------------------------------------------------

    def on_start(self) -> None:
        ctx = self.ctx
        self._ports = self._open_ports()
        disown_accounts(self._ports.shared.accounts)
        self._told = read_told_fills(ctx.ring_reader("order_events", start="oldest")) if ctx.epoch > 1 else ToldFills()
        self._gateway = self.open_gateway()
        self._gateway.start()

    def open_gateway(self) -> ThalexOrderGateway:
        """Return the connection that carries our orders."""
        ctx = self.ctx
        url = venue_url(ctx.config.venue, os.environ)
        return ThalexOrderGateway(
            ctx.config.venue, url, ctx.credentials, ctx.state_dir, self, ctx.clock, ctx.log, ctx.spawn,
            quote_listener=self if ctx.config.execution.mode == "mass_quotes" else None,
            conditional_listener=self if ctx.config.execution.protection.kind != "off" else None,
        )  # fmt: skip

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
            open_orders = await self._core.stop_at_once(STOP_AT_ONCE_S)
            self.ctx.log.info("orders cancelled", outcome=_outcome(open_orders))
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
                told=self._told, on_recovered=self._on_recovered,
            )  # fmt: skip
            self._core = core
            self.ctx.spawn(core.keep_journal(JOURNAL_INTERVAL_S), "journal")
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
        return {
            Stop: self._on_stop,
            Halt: self._on_halt,
            CancelAll: self._on_cancel_all,
            Flatten: self._on_flatten,
            Reduce: self._on_reduce,
            Hedge: self._on_hedge,
            Status: self._on_status,
        }

    async def _on_stop(self, command: Stop) -> Reply:
        """Cancel, confirm, flatten if asked; the answer carries the report of the session."""
        core = await self._core_within(self.ctx.config.execution.stop_timeout_s)
        if core is None:
            await self._gateway.close()
            if self.ctx.epoch == 1:
                return Reply(ok=True, text=NOT_STARTED, data={"open_orders_at_exit": 0})
            return Reply(ok=False, text="execution was restarting and has not reached the venue")
        report = await core.stop(flatten=command.flatten)
        open_orders = report["open_orders_at_exit"]
        await self._gateway.close()
        return Reply(ok=open_orders == 0, text=_outcome(open_orders), data=report)

    async def _core_within(self, timeout_s: float) -> ExecutionCore | None:
        """Return the core, waiting for the venue's first answer if need be."""
        deadline_ns = self.ctx.clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        while self._core is None and self.ctx.clock.monotonic_ns() < deadline_ns:
            await asyncio.sleep(CORE_POLL_S)
        return self._core

    async def _on_halt(self, command: Halt) -> Reply:
        """Cancel everything and stay out until risk's limits allow quoting again; flatten if asked."""
        core = self._core
        if core is None:
            return Reply(ok=True, text=NOT_STARTED)
        self.ctx.log.warning("halted", reason=command.reason, flatten=command.flatten)
        open_orders = await core.halt()
        if command.flatten and open_orders == 0:
            left = await core.flatten()
            return Reply(ok=not left, text=_flat(left))
        return Reply(ok=open_orders == 0, text=_outcome(open_orders))

    async def _on_cancel_all(self, command: CancelAll) -> Reply:
        """Cancel every order of ours and confirm; quotes come back with the next wish."""
        if self._core is None:
            return Reply(ok=True, text=NOT_STARTED)
        open_orders = await self._core.cancel_all()
        return Reply(ok=open_orders == 0, text=_outcome(open_orders))

    async def _on_flatten(self, command: Flatten) -> Reply:
        """Cancel, then bring every position, or that of one instrument, to zero, bounded in time."""
        core = self._core
        if core is None:
            return Reply(ok=False, text=NOT_STARTED)
        if not command.instrument:
            left = await core.flatten()
        else:
            desk = next((desk for desk in core.desks.values() if desk.name == command.instrument), None)
            if desk is None:
                names = ", ".join(self.ctx.instrument_names)
                return Reply(ok=False, text=f"no instrument {command.instrument}; there are: {names}")
            left = await core.flatten_instrument(desk)
        return Reply(ok=not left, text=_flat(left), data={"position": left})

    async def _on_hedge(self, command: Hedge) -> Reply:
        """Trade a net delta back to its target; asked again under the same id, tell what was done."""
        if self._core is None:
            return Reply(ok=False, text=NOT_STARTED)
        return await self._core.hedging.hedge(command)

    def _on_reduce(self, _command: Reduce) -> Reply:
        """Look at the limits at once: risk has written there that only one side may quote."""
        if self._core is not None:
            for desk in self._core.desks.values():
                desk.is_dirty = True
            self._work_soon()
        return Reply(ok=True, text="quotes follow risk's limits")

    def _on_status(self, _command: Status) -> Reply:
        core = self._core
        if core is None:
            return Reply(ok=True, text="connecting to the venue")
        blocked = {desk.name: desk.blocked_by for desk in core.desks.values() if desk.blocked_by}
        live = len(core.books.manager.all_live())
        text = f"{live} orders live" + "".join(f"; {name}: {why}" for name, why in blocked.items())
        text += "".join(f"; {trouble}" for trouble in core.quotes.troubles(self.ctx.clock.monotonic_ns()))
        is_consistent = not core.truth.differences() and not core.books.ledger.unbooked
        return Reply(ok=True, text=text, data=core.report(live, is_consistent))


def chosen_instruments(
    configured: Mapping[str, InstrumentConfig],
    listed: Mapping[str, Instrument],
    known: Mapping[str, Instrument] = MappingProxyType({}),
) -> dict[str, Instrument]:
    """Return the configured instruments as the venue lists them.

    Args:
        known: as the session began with them: one that is no longer listed has expired, and is no mistake.

    Raises:
        ConfigError: for one that the venue does not trade, or that we cannot quote.
    """
    chosen = {}
    for name, config in configured.items():
        instrument = listed.get(name) or known.get(name)
        if instrument is None:
            examples = ", ".join(sorted(listed)[:10])
            raise ConfigError(f'instruments."{name}": the venue does not trade it; it trades e.g. {examples}')
        if config.quote and instrument.kind is InstrumentKind.ROLL:
            raise ConfigError(
                f'instruments."{name}": a roll cannot be quoted: its fills are trades in two other instruments, which '
                "the ledger does not take apart, and its prices may be negative; set quote = false"
            )
        chosen[name] = instrument
    return chosen


def _outcome(open_orders: int | None) -> str:
    if open_orders == 0:
        return CONFIRMED
    if open_orders is None:
        return "the venue did not confirm that nothing is open"
    return f"{open_orders} orders of ours are still open at the venue"


def _flat(left: Mapping[str, str]) -> str:
    if not left:
        return "flat"
    return "not flat: " + ", ".join(f"{name} {position}" for name, position in left.items())
