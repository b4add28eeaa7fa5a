"""Agreement with the venue: recovery at the start and after every reconnect, audits and doubts in between.

The venue's open orders and positions are the truth. Recovery cancels what is ours, books what was filled, and
ends only when the fills of the session add up to the venue's position; until then nothing is quoted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from actors.execution.books import AccountBooks
from actors.execution.grids import Grids
from actors.execution.ports import Ports
from actors.execution.quotes import QuoteSender
from actors.execution.session_state import SessionState, StartPosition, save_session_state
from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import ConnectivityError, VenueError
from domain.reports import OrderReport, PositionReport, TradeReport
from trading.ledger import Ledger
from trading.orders.config import ExecutionConfig
from venues.gateway import OrderGateway

RECOVERING = "recovering"
POSITION_DIFFERS = "position differs from the venue's"
PAUSE_S_MIN, PAUSE_S_MAX = 0.02, 1.0
WARN_INTERVAL_NS = 5 * NS_PER_S
LOST_PAUSE_NS = 1 * NS_PER_S
DOUBT_PAUSE_NS = 100 * NS_PER_MS
BASELINE_SPAN_NS = 2 * 3600 * NS_PER_S  # spans a wall clock that is an hour off
HISTORY_MARGIN_NS = 60 * NS_PER_S  # the history is written later than fills are told
REBASE_TRIES = 5
LATE_ORDERS_NS = 5 * NS_PER_S  # an order of a broken session may arrive until cancel-on-disconnect acts


class OursAtVenue(NamedTuple):
    """Orders with our label that the venue shows as open, and those of them that our book does not."""

    all: list[OrderReport]
    untracked: list[OrderReport]


class Truth:
    """Keeps orders and money in agreement with the venue.

    Attributes:
        venue_positions: as the venue told them last.
        state: where the session's ledger starts; None before the first recovery.
    """

    def __init__(
        self,
        config: ExecutionConfig,
        ports: Ports,
        gateway: OrderGateway,
        books: AccountBooks,
        quotes: QuoteSender,
        grids: Grids,
        label: str,
        state: SessionState | None,
        on_recovered: Callable[[], None],
    ) -> None:
        self._config = config
        self._ports = ports
        self._clock = ports.clock
        self._log = ports.log
        self._gateway = gateway
        self._books = books
        self._quotes = quotes
        self._grids = grids
        self._label = label
        self._on_recovered = on_recovered
        self._may_begin_anew = state is None  # until the first order: the history may lag behind the positions
        self._recovery = 0  # number of the newest recovery: an older one gives up
        self._is_asking = False
        self._audit_due_ns = 0
        self._history_from_ns = 0
        self._newest_trade_ns = 0
        self._differs_since_ns = 0
        self._strangers: set[str] = set()
        self._warn_due_ns = 0
        self.venue_positions: dict[str, PositionReport] = {}
        self.state = state
        quotes.holds.add(RECOVERING)
        if state is not None:
            self._use_state(state)

    # ---- recovery --------------------------------------------------------------------------------------

    def begin_recovery(self) -> None:
        """A session with the venue has begun: nothing is quoted until both sides agree."""
        self._recovery += 1
        self._quotes.holds.add(RECOVERING)
        self._books.set_known(False, self._clock.monotonic_ns())
        self._ports.spawn(self._recover(self._recovery), "recovery")

    def on_disconnected(self) -> None:
        """What runs for the lost session gives up."""
        self._recovery += 1
        self._quotes.holds.add(RECOVERING)

    async def recovered(self, timeout_s: float) -> bool:
        """Wait for a recovery that is under way; return whether it has ended in time."""
        deadline_ns = self._clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        while RECOVERING in self._quotes.holds:
            if self._clock.monotonic_ns() >= deadline_ns:
                return False
            await asyncio.sleep(PAUSE_S_MIN)
        return True

    async def _recover(self, number: int) -> None:
        pause_s = PAUSE_S_MIN
        tries = 0
        is_listed = False
        began_ns = self._clock.monotonic_ns()
        while number == self._recovery:
            try:
                if not is_listed:
                    self._grids.take_listed(await self._gateway.instruments())
                    is_listed = True
                if await self._agrees(tries):
                    break
                tries += 1
            except ConnectivityError:
                if not self._gateway.is_ready:
                    return  # the next session begins with a recovery of its own
            except VenueError as error:
                self._log.warning("recovery is delayed by the venue", reason=str(error))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)
        if number != self._recovery:
            return
        now_ns = self._clock.monotonic_ns()
        self._may_begin_anew = False
        self._quotes.holds.discard(RECOVERING)
        self._quotes.holds.discard(POSITION_DIFFERS)
        self._differs_since_ns = 0
        self._books.set_known(True, now_ns)
        self._audit_due_ns = now_ns + LATE_ORDERS_NS
        self._log.info(
            "recovered",
            after_ms=(now_ns - began_ns) // NS_PER_MS,
            positions={name: str(line.position) for name, line in self._books.ledger.lines.items()},
        )
        self._on_recovered()

    async def _agrees(self, tries: int) -> bool:
        """Do one round of recovery; return whether nothing of ours is open and the position adds up."""
        if await self.cancel_ours():
            return False
        await self.fetch_positions()
        if self.state is None or (tries >= REBASE_TRIES and self._may_begin_anew):
            await self._begin_session()
        await self.fetch_trades()
        self.warn_if_different()
        return not self.differences() and not self._books.manager.has_doubt()

    async def _begin_session(self) -> None:
        """Write down what the venue shows before the first order, and count from there."""
        realtime_ns = self._clock.realtime_ns()
        since_ns = max(realtime_ns - BASELINE_SPAN_NS, 0)
        trades = await self._gateway.trade_history(since_ns)
        await self.fetch_positions()
        if trades:
            since_ns = max(trade.time_ns for trade in trades) - HISTORY_MARGIN_NS
        state = SessionState(
            started_realtime_ns=realtime_ns,
            history_since_ns=since_ns,
            trades_before=[trade.key for trade in trades if trade.time_ns >= since_ns],
            positions={name: self._start_position(name) for name in self._books.desks},
        )
        save_session_state(self._ports.run_dir, state)
        self._log.info(
            "session begins", positions={name: str(start.position) for name, start in state.positions.items()}
        )
        self.state = state
        self._use_state(state)

    def _start_position(self, name: str) -> StartPosition:
        report = self.venue_positions.get(name)
        if report is None or not report.position:
            return StartPosition(Decimal(0), Decimal(0), Decimal(0))
        price = report.mark_price or report.average_price
        return StartPosition(report.position, price, report.unrealised_funding)

    def _use_state(self, state: SessionState) -> None:
        multipliers = {name: desk.instrument.contract_multiplier for name, desk in self._books.desks.items()}
        ledger = Ledger(multipliers, ignored=state.trades_before)
        for name, start in state.positions.items():
            if name in ledger.lines:
                ledger.lines[name].begin(start.position, start.price, start.unrealised_funding)
        self._history_from_ns = state.history_since_ns
        self._books.restart_ledger(ledger)

    # ---- between recoveries ----------------------------------------------------------------------------

    def look(self, now_ns: int) -> None:
        """Ask the venue when there is doubt, a lasting difference, or it is time for an audit."""
        if self._is_asking or not self._gateway.is_ready or RECOVERING in self._quotes.holds:
            return
        manager = self._books.manager
        differs = self._differs_since_ns and (
            now_ns - self._differs_since_ns >= self._config.position_mismatch_ms * NS_PER_MS
        )
        if now_ns < self._audit_due_ns and not differs and not manager.has_doubt():
            return
        self._is_asking = True
        self._ports.spawn(self._audit(bool(differs)), "audit")

    def ask_soon(self, now_ns: int) -> None:
        """Bring the next audit forward: something that the venue said was lost. A flood of such asks once a second."""
        self._audit_due_ns = min(self._audit_due_ns, now_ns + LOST_PAUSE_NS)

    def take_positions(self, reports: list[PositionReport], is_snapshot: bool, now_ns: int) -> None:
        """Remember the venue's positions and since when they differ from ours."""
        if is_snapshot:
            self.venue_positions.clear()
        for report in reports:
            self.venue_positions[report.instrument_name] = report
        self.note_difference(now_ns)

    def note_difference(self, now_ns: int) -> None:
        """Start or end the time for which position and venue differ; fills and portfolio come apart anyway."""
        if not self.differences():
            self._differs_since_ns = 0
        elif not self._differs_since_ns:
            self._differs_since_ns = now_ns

    def differences(self) -> dict[str, str]:
        """Return `by fills X, by the venue Y` for each instrument in which they differ."""
        found = {}
        for name, line in self._books.ledger.lines.items():
            report = self.venue_positions.get(name)
            held = report.position if report is not None else Decimal(0)
            if held != line.position:
                found[name] = f"{line.position} by fills, {held} by the venue"
        return found

    async def _audit(self, is_position_doubtful: bool) -> None:
        pause_ns = DOUBT_PAUSE_NS
        number = self._recovery
        try:
            for report in (await self._compare_orders()).untracked:
                self._log.warning(
                    "an order of ours that was not tracked is cancelled",
                    venue_order_id=report.venue_order_id, instrument=report.instrument_name,
                )  # fmt: skip
                self._gateway.cancel_order(report.venue_order_id)
            if is_position_doubtful:
                await self._compare_positions()
            if not self._books.manager.has_doubt() and not self._differs_since_ns:
                pause_ns = int(self._config.audit_interval_s * NS_PER_S)
                self._history_from_ns = max(self._history_from_ns, self._newest_trade_ns - HISTORY_MARGIN_NS)
            self._ports.measures.counts.add("audits")
        except VenueError as error:
            self._log.warning("audit refused by the venue", reason=str(error))
        except ConnectivityError as error:
            if self._gateway.is_ready:
                self._log.warning("audit without an answer", reason=str(error))
        finally:
            self._is_asking = False
            if number == self._recovery:
                self._audit_due_ns = self._clock.monotonic_ns() + pause_ns
            self._ports.work_soon()

    async def _compare_orders(self) -> OursAtVenue:
        """Bring the order book to the venue's open orders; return those of ours that are open."""
        manager = self._books.manager
        asked_ns = self._clock.monotonic_ns()
        reports = await self._gateway.open_orders()
        if manager.missing(manager.shown_by(reports), asked_ns) or manager.has_fill_gap():
            await self.fetch_trades()
        now_ns = self._clock.monotonic_ns()
        for order in manager.in_doubt():  # what it turns out to be may not be what is wanted
            self._books.desk_of(order).is_dirty = True
        result = manager.apply_open_orders(reports, asked_ns, now_ns)
        self._books.take_changes(result.changes, now_ns)
        self._books.publish_accounts(now_ns)
        ours = [report for report in reports if report.label == self._label]
        for report in result.untracked:
            if report.label != self._label:
                self._meet_stranger(report)
        return OursAtVenue(ours, [report for report in result.untracked if report.label == self._label])

    async def _compare_positions(self) -> None:
        """Ask for what is missing between fills and position; quotes are off while it cannot be found."""
        await self.fetch_trades()
        await self.fetch_positions()
        differs = bool(self.differences())
        if differs != (POSITION_DIFFERS in self._quotes.holds):
            (self._quotes.holds.add if differs else self._quotes.holds.discard)(POSITION_DIFFERS)
            self._books.set_known(not differs, self._clock.monotonic_ns())
        self.warn_if_different()

    # ---- questions to the venue ------------------------------------------------------------------------

    async def cancel_ours(self) -> int:
        """Ask for the open orders, cancel ours, and return how many there were."""
        ours = (await self._compare_orders()).all
        for report in ours:
            self._gateway.cancel_order(report.venue_order_id)
        return len(ours)

    async def fetch_positions(self) -> None:
        self.take_positions(await self._gateway.positions(), True, self._clock.monotonic_ns())

    async def fetch_trades(self) -> int:
        """Book the history since the last agreement; return how many fills had been missed."""
        trades = await self._gateway.trade_history(self._history_from_ns)
        return self.take_trades(trades)

    def take_trades(self, trades: list[TradeReport]) -> int:
        now_ns = self._clock.monotonic_ns()
        news = self._books.take_trades(trades, now_ns)
        if trades:
            self._newest_trade_ns = max(self._newest_trade_ns, *(trade.time_ns for trade in trades))
        self.note_difference(now_ns)
        return news

    def warn_if_different(self) -> None:
        now_ns = self._clock.monotonic_ns()
        found = self.differences()
        if found and now_ns >= self._warn_due_ns:
            self._warn_due_ns = now_ns + WARN_INTERVAL_NS
            self._log.warning("not quoting: fills do not add up to the venue's position", **found)

    def _meet_stranger(self, report: OrderReport) -> None:
        """Say once that an order is not ours; cancel it, as often as it shows, if that is configured."""
        must_go = self._config.cancel_strangers and report.instrument_name in self._books.desks
        if must_go:
            self._gateway.cancel_order(report.venue_order_id)
        if report.venue_order_id not in self._strangers:
            self._strangers.add(report.venue_order_id)
            self._ports.measures.counts.add("strangers")
            self._log.warning(
                "an order that is not ours is cancelled" if must_go else "an order that is not ours is left alone",
                venue_order_id=report.venue_order_id, instrument=report.instrument_name, label=report.label,
            )  # fmt: skip
