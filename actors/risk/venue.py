"""What risk learns over its own connection: instruments, positions, the run's trades, the account's orders."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Protocol

from actors.risk.books import BooksKeeper
from actors.risk.guard import GuardedGateway, OrderGuard
from actors.settlements import Settlements
from domain.clock import CLOCKS_AGREE_NS, NS_PER_S
from domain.errors import ConnectivityError, ProtocolError, VenueError
from domain.instrument import Instrument
from domain.order import RequestKind
from domain.reports import MarginReport, OrderReport, PositionReport, SettlementReport, TradeReport
from runtime.actor import ActorContext
from trading.ledger_line import Pnl
from trading.orders.config import order_label
from trading.risk.account import RunAccount, openings_of
from trading.risk.latch import RiskMemory
from trading.risk.monitor import RiskMonitor
from venues.gateway import OrderListener

AUDIT_INTERVAL_NS = 5 * NS_PER_S
HELD_INTERVAL_NS = NS_PER_S  # of positions (funding moves them) and margin, while something is held
RECOVER_PAUSE_S = 1.0
CLOCK_PAUSE_S, CLOCK_TRIES = 0.1, 50
RESUME_PAUSES_S = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5)  # the history is written later than positions change
HISTORY_OVERLAP_NS = 60 * NS_PER_S  # trades reach the history late: the last minute is always asked for again


class RiskGateway(GuardedGateway, Protocol):
    """The part of an order gateway that risk uses: everything but orders."""

    def start(self) -> None: ...
    async def close(self) -> None: ...
    def keep_alive(self, now_ns: int) -> None: ...
    async def positions(self) -> list[PositionReport]: ...
    async def margin(self) -> MarginReport: ...

    @property
    def unreadable_positions(self) -> int:
        """Instruments that are not ours and whose position cannot be read."""
        ...

    async def trade_history(self, since_realtime_ns: int) -> list[TradeReport]: ...
    async def settlements(self, since_realtime_ns: int) -> list[SettlementReport]: ...
    async def instruments(self) -> dict[str, Instrument]: ...


class VenueView:
    """The listener of risk's gateway, and what it has heard.

    Args:
        memory: what an earlier process of this run wrote down: holdings when it began, losses that count no more.
        read_marks: brings the monitor's marks up to date.
        venue_ahead_ns: returns by how much the venue's clock is ahead of ours; None while it is not known.
        books: keeps for the next life what the trades add up to.

    Attributes:
        since_ns: when the run began, by the venue's clock: what is older is not of it. 0 = not known yet.
        gateway, guard: the connection, and the hand on it.
        openings: holdings when the run began; complete once `is_started`.
        alive_time_ns: monotonic, when anything was last heard; 0 = never.
        new_trades: trades of the run not looked at yet; whoever looks takes them away.
    """

    def __init__(
        self,
        ctx: ActorContext,
        monitor: RiskMonitor,
        memory: RiskMemory,
        open_gateway: Callable[[OrderListener], RiskGateway],
        read_marks: Callable[[RiskMonitor], None],
        venue_ahead_ns: Callable[[], int | None],
        books: BooksKeeper,
    ) -> None:
        self._ctx = ctx
        self._monitor = monitor
        self._view = monitor.account
        self._read_marks = read_marks
        self._venue_ahead_ns = venue_ahead_ns
        self._books = books
        self.openings = dict(memory.openings)
        self.since_ns = memory.since_ns
        self._forgiven = memory.forgiven
        self.gateway = open_gateway(self)
        self.guard = OrderGuard(ctx, self.gateway, order_label(ctx.config.execution, ctx.session))
        self.alive_time_ns = 0
        self.new_trades: list[TradeReport] = []
        self._account: RunAccount | None = None
        self._early_trades: list[TradeReport] = []
        self._newest_trade_ns = 0
        self._history_from_ns = self.since_ns  # the venue's clock: older trades are booked
        self._is_recovering = False
        self._orders_asked_ns = self._money_asked_ns = 0
        self._is_asking_money = self._was_held = False
        self._settlements = Settlements(ctx.log)
        self._unreadable_trades = 0
        self._is_looked = False  # positions have come that were asked for after the newest of them

    @property
    def is_started(self) -> bool:
        """Whether instruments, positions and the trades of the run have been read."""
        return self._account is not None

    def pnl_by_instrument(self) -> dict[str, Pnl | None]:
        """Return profit and loss of the run in each instrument; None where its mark is missing."""
        return self._account.pnl_by_instrument(self._view.marks, self._view.positions) if self._account else {}

    def do_work(self, now_ns: int) -> None:
        """Look at positions, orders and margin again when it is time: streams may miss something; keep the books."""
        if self._account is None:
            return
        if now_ns - self._orders_asked_ns >= AUDIT_INTERVAL_NS:
            self._orders_asked_ns = now_ns
            self._ctx.spawn(self._audit(), "audit")
        # What has just been bought is looked at soon, however long nothing was held; and once more when all is sold.
        is_held = any(report.position for report in self._view.positions.values())
        interval_ns = HELD_INTERVAL_NS if is_held or self._was_held else AUDIT_INTERVAL_NS
        if now_ns - self._money_asked_ns >= interval_ns and not self._is_asking_money:
            self._money_asked_ns, self._was_held = now_ns, is_held
            self._is_asking_money = True
            self._ctx.spawn(self._read_money(), "money")
        if self._is_looked:
            self._is_looked = False
            self._books.look(self._account, self._view.positions)
        self._books.save_when_due(self._account, self._view.positions, self.since_ns, self._history_from_ns, now_ns)

    # ---- from the gateway (OrderListener) ------------------------------------------------------------

    def on_ready(self) -> None:
        self.guard.forget()
        if not self._is_recovering:
            self._is_recovering = True
            self._ctx.spawn(self._recover(), "recover")

    def on_disconnected(self, reason: str) -> None:
        self._ctx.log.warning("venue connection lost", reason=reason)
        self._ctx.counters.add("reconnects")

    def on_orders(self, reports: list[OrderReport]) -> None:
        self.guard.on_orders(reports)

    def on_rejected(self, kind: RequestKind, client_order_id: int, error: VenueError) -> None:
        raise AssertionError(f"risk places no orders, yet the venue refused an {kind} of {client_order_id}: {error}")

    def on_trades(self, trades: list[TradeReport]) -> None:
        if self._account is None:
            self._early_trades += trades
            return
        self.new_trades += self._account.on_trades(trades)
        for text in self._account.take_contradictions():
            self._ctx.log.error("the venue contradicts its own trade: not booked", reason=text)
            self._books.distrust()
        for trade in trades:
            self._newest_trade_ns = max(self._newest_trade_ns, trade.time_ns)

    def on_positions(self, positions: list[PositionReport], is_snapshot: bool) -> None:
        if self._account is not None:
            positions = self._account.see(positions, self._venue_now_ns(), is_snapshot=is_snapshot)
        self._view.on_positions(positions, is_snapshot)
        self._view.has_unreadable = bool(self.gateway.unreadable_positions)

    def on_unreadable_trade(self, instrument_name: str, reason: str) -> None:
        if not instrument_name or instrument_name in self._ctx.instrument_names:
            self._ctx.counters.add("unreadable_trades")
            self._ctx.log.error("a trade that may be ours is unreadable: profit and loss lacks it", reason=reason)
            self._unreadable_trades += 1
            self._is_looked = False
            self._books.doubt()

    def on_bad_frame(self, error: ProtocolError) -> None:
        """Counted; the audit reads positions, orders and trades anew every few seconds anyway."""
        self._ctx.counters.add("bad_frames")
        self._ctx.counters.add(f"bad_frames_{error.refusal}")

    def on_alive(self, now_ns: int) -> None:
        self.alive_time_ns = now_ns

    # ---- reading the truth ---------------------------------------------------------------------------

    async def _recover(self) -> None:
        """Read the account after a connect; try again until it succeeds or the connection is lost."""
        try:
            while self.gateway.is_ready:
                try:
                    await self._read_account()
                    return
                except ConnectivityError as error:
                    self._ctx.log.warning("the account could not be read", reason=str(error))
                except (VenueError, ProtocolError) as error:
                    self._ctx.log.error("the venue refused to show the account", reason=str(error))
                await asyncio.sleep(RECOVER_PAUSE_S)
        finally:
            self._is_recovering = False

    async def _read_account(self) -> None:
        instruments = await self.gateway.instruments()
        self._view.on_instruments(instruments)
        if not self.is_started and await self._has_resumed(instruments):
            return
        if not self._history_from_ns:
            self._history_from_ns = await self._begin_of_run()
        trades = await self.gateway.trade_history(self._history_from_ns)
        self.on_positions(await self._read_positions(), is_snapshot=True)
        await self._read_margin()
        if not self.is_started:
            await self._open_account(instruments, trades)
        self._take_history(trades)
        await self._read_settlements()

    async def _has_resumed(self, instruments: Mapping[str, Instrument]) -> bool:
        """Go on from what an earlier process of the run kept; False when every trade of the run is to be read.

        It counts only if it leads, with the trades since then, to the positions that the venue shows.
        """
        if not self.since_ns or self.openings.keys() != set(self._ctx.instrument_names):
            return False  # nothing is known of the beginning
        account = RunAccount(instruments, self.openings, self._forgiven, self.since_ns)
        kept = await self._books.load(account, self.since_ns)
        if kept is None:
            return False
        account.resume(kept.state, kept.counted)
        await self._read_margin()
        new: list[TradeReport] = []
        for pause_s in RESUME_PAUSES_S:
            trades = await self.gateway.trade_history(kept.history_from_ns)
            positions = await self._read_positions()
            self._view.on_positions(positions, is_snapshot=True)
            new += account.on_trades([*trades, *self._early_trades])
            differences = account.differences({report.instrument_name: report for report in positions})
            if not differences:
                break
            await asyncio.sleep(pause_s)
        else:
            more = ", ".join(f"{size} of {name}" for name, size in differences.items())
            await self._books.give_up(f"with the trades since then it does not add up: the venue holds {more} more")
            return False
        await self._book_settlements(account)
        self.new_trades += new
        self._history_from_ns = kept.history_from_ns
        self._use_account(account, instruments, trades, trades_kept=kept.state.ledger.fills)
        self._take_history(trades)
        return True

    async def _begin_of_run(self) -> int:
        """Return when the run began, by the venue's clock: ours may be an hour off.

        Without a feed ours must do; the next life of risk will then look again.
        """
        begun_ns = self._ctx.session_start_realtime_ns
        for _ in range(CLOCK_TRIES):
            ahead_ns = self._venue_ahead_ns()
            if ahead_ns is not None:
                if abs(ahead_ns) > CLOCKS_AGREE_NS:
                    self._ctx.log.warning("the wall clock is not the venue's", venue_ahead_s=ahead_ns / NS_PER_S)
                    begun_ns += ahead_ns
                else:
                    begun_ns += min(ahead_ns, 0)  # never later than it was: a fill of the first seconds counts
                self.since_ns = begun_ns
                return begun_ns
            await asyncio.sleep(CLOCK_PAUSE_S)
        return begun_ns

    def _take_history(self, trades: list[TradeReport]) -> None:
        """Book what the history shows; what is booked and old is not asked for again."""
        self.on_trades(trades)
        self._history_from_ns = max(self._history_from_ns, self._newest_trade_ns - HISTORY_OVERLAP_NS)

    async def _open_account(self, instruments: Mapping[str, Instrument], trades: list[TradeReport]) -> None:
        """Book the run from its beginning; nothing is judged by the account before its settlements are booked, too."""
        names, view = self._ctx.instrument_names, self._view
        self._read_marks(self._monitor)
        self.openings = openings_of(names, self.openings, view.positions, trades, view.marks, self._venue_now_ns())
        account = RunAccount(instruments, self.openings, self._forgiven, self.since_ns)
        new = account.on_trades(trades)
        await self._book_settlements(account)
        await self._books.open()
        self.new_trades += new
        self._use_account(account, instruments, trades)

    def _use_account(
        self,
        account: RunAccount,
        instruments: Mapping[str, Instrument],
        trades: list[TradeReport],
        *,
        trades_kept: int = 0,
    ) -> None:
        names = self._ctx.instrument_names
        self._account = account
        self._monitor.round_trips = account.trips
        early, self._early_trades = self._early_trades, []
        self.on_trades([*trades, *early])
        self.on_positions(list(self._view.positions.values()), is_snapshot=True)  # as the venue told them until now
        self._ctx.log.info(
            "account read",
            trades=len(trades),
            trades_kept=trades_kept,
            positions={name: str(account.position(name)) for name in names},
            unknown=[name for name in names if name not in instruments],
        )

    async def _audit(self) -> None:
        if await self.guard.look() is None:
            return  # the venue does not answer
        try:
            self._take_history(await self.gateway.trade_history(self._history_from_ns))
        except (
            ConnectivityError,
            VenueError,
            ProtocolError,
        ) as error:  # the next audit asks again, from the same time on
            self._ctx.log.warning("the trade history could not be read", reason=str(error))
            return
        await self._read_settlements()

    async def _read_settlements(self) -> None:
        """Book what daily settlements that are awaited have paid, in one step with the positions after them."""
        if self._account is None:
            return
        try:
            await self._book_settlements(self._account)
        except (ConnectivityError, VenueError, ProtocolError) as error:  # the next audit asks again
            self._ctx.log.warning("daily settlements could not be read", reason=str(error))

    async def _book_settlements(self, account: RunAccount) -> None:
        """See `_read_settlements`; of an account that is not used yet, too. ConnectivityError: the answer is lost."""
        now_ns = self._venue_now_ns()
        reports = await self._settlements.ask(self.gateway, account.settlements_from_ns(now_ns), now_ns)
        if reports is None:
            return
        positions = await self._read_positions()
        self._settlements.tell(account.on_settlements(reports))
        self.on_positions(positions, is_snapshot=True)

    def _venue_now_ns(self) -> int:
        """Return the venue's time: ours, unless its stamps say that ours is wrong."""
        ahead_ns = self._venue_ahead_ns() or 0
        return self._ctx.clock.realtime_ns() + (ahead_ns if abs(ahead_ns) > CLOCKS_AGREE_NS else 0)

    async def _read_money(self) -> None:
        """Read positions and margin; the venue pushes neither funding nor margin."""
        try:
            self.on_positions(await self._read_positions(), is_snapshot=True)
            await self._read_margin()
        except (
            ConnectivityError,
            VenueError,
            ProtocolError,
        ) as error:  # what was last known stands; silence has a cause of its own
            self._ctx.log.warning("positions and margin could not be read", reason=str(error))
        finally:
            self._is_asking_money = False

    async def _read_positions(self) -> list[PositionReport]:
        """Ask the venue for all positions; where one of ours cannot be read none is known any more."""
        unreadable_trades = self._unreadable_trades
        try:
            positions = await self.gateway.positions()
        except ProtocolError:
            self._view.are_positions_known = False
            raise
        self._is_looked = unreadable_trades == self._unreadable_trades
        return positions

    async def _read_margin(self) -> None:
        """Ask the venue for the margin; one that cannot be read is not known any more, and nothing may be added."""
        try:
            self._take_margin(await self.gateway.margin())
        except ProtocolError:
            self._view.on_margin(math.nan, math.nan, None)
            raise

    def _take_margin(self, report: MarginReport) -> None:
        margin, required = float(report.margin), float(report.required_margin)
        self._view.on_margin(margin, required, self.guard.working, self.guard.working_of_others)
