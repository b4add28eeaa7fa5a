"""Agreement with the venue between recoveries: audits, doubts, differences; its orders and positions are the truth."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from actors.execution.asking import LOST_PAUSE_NS, Asking, Reasons
from actors.execution.books import AccountBooks
from actors.execution.desk import Desk
from actors.execution.permission import POSITION_DIFFERS, RECOVERING
from actors.execution.ports import Ports
from actors.execution.quotes import QuoteSender
from actors.execution.venue_clock import VenueClock
from actors.settlements import Settlements
from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import ConnectivityError, ProtocolError, VenueError
from domain.reports import FillKey, OrderReport, PositionReport, TradeReport
from trading.ledger import LedgerState
from trading.orders.config import ExecutionConfig
from venues.gateway import OrderGateway

WARN_INTERVAL_NS = 5 * NS_PER_S
HEALED = "position agrees again"
GAP_PATIENCE_NS = 60 * NS_PER_S  # for a fill that the venue counts and does not tell
FEE_PATIENCE_NS = 600 * NS_PER_S  # for the line of the history that says what a fill cost
HISTORY_MARGIN_NS = 60 * NS_PER_S  # the history is written later than fills are told
SETTLE_INTERVAL_NS = 60 * NS_PER_S  # between two states of the ledger in the journal
LATE_ORDERS_NS = 5 * NS_PER_S  # an order of a broken session may arrive until cancel-on-disconnect acts


class OursAtVenue(NamedTuple):
    """Orders with our label that the venue shows as open, and those of them that our book does not."""

    all: list[OrderReport]
    untracked: list[OrderReport]


class Truth:
    """Keeps orders and money in agreement with the venue.

    Attributes:
        venue_positions: as the venue told them last, with the unrealised funding that counts (`Ledger.see`).
        positions_asked_ns: monotonic, when the venue was asked for what it then told of all positions; 0 = not yet.
        history_from_ns: the venue's clock; older trades are booked, or were there before us.
        strangers: ids of orders that are not ours, as the venue showed them last.
        session: counts beginnings and ends of sessions with the venue: what runs for an older one gives up.
    """

    def __init__(
        self,
        config: ExecutionConfig,
        ports: Ports,
        gateway: OrderGateway,
        books: AccountBooks,
        quotes: QuoteSender,
        label: str,
    ) -> None:
        self._config = config
        self._ports = ports
        self._clock = ports.clock
        self._log = ports.log
        self._gateway = gateway
        self._books = books
        self._quotes = quotes
        self._label = label
        self._is_asking = False
        self._asking = Asking()
        self._gaps_since_ns: dict[int, int] = {}
        self._fees_since_ns: dict[FillKey, int] = {}
        self._settle_due_ns = 0
        self.history_from_ns = 0
        self._newest_trade_ns = 0
        self._differs_since_ns = 0
        self.strangers: frozenset[str] = frozenset()
        self._warn_due_ns = 0
        self._doubts = self._doubts_settled = 0  # trades of ours that could not be read, and had been at the last look
        self.session = 0
        self.venue_positions: dict[str, PositionReport] = {}
        self.positions_asked_ns = 0
        self.venue_clock = VenueClock(ports.clock, ports.shared.book_table, len(ports.instrument_names))
        self._settlements = Settlements(ports.log)

    def use_config(self, config: ExecutionConfig) -> None:
        """Go by other values from now on."""
        self._config = config

    # ---- what is known of the position -----------------------------------------------------------------

    def hold(self, reason: str) -> None:
        """Quote nothing and call the position unknown, for RECOVERING or POSITION_DIFFERS, until `release`."""
        self._quotes.holds.add(reason)
        self._tell_known()

    def release(self, reason: str) -> None:
        """End a hold; the position is known again once there is no other."""
        self._quotes.holds.discard(reason)
        self._tell_known()

    def _tell_known(self) -> None:
        is_known = self._quotes.permission.is_position_known
        if is_known != self._books.is_known:
            self._books.set_known(is_known, self._clock.monotonic_ns())

    def agreed(self, now_ns: int) -> None:
        """A recovery has ended: both sides agree. Orders of the broken session may still arrive for a while."""
        self._differs_since_ns = 0
        self.release(RECOVERING)
        if self._doubts == self._doubts_settled:
            self.release(POSITION_DIFFERS)
        self._asking.begin(now_ns + LATE_ORDERS_NS)

    def disagreed(self, now_ns: int) -> None:
        """A recovery has ended, and the position still differs: nothing is quoted until an audit finds that it does
        not."""
        self.hold(POSITION_DIFFERS)
        self.release(RECOVERING)
        self._asking.begin(now_ns)
        self._log.error(
            "fills do not add up to the venue's position, however they are counted: quotes stay off, audits go on. If "
            "the difference stays, end the session and begin another, which starts from the venue's position",
            **self.differences(),
        )

    def settled(self) -> tuple[int, LedgerState] | None:
        """Return the time before which every trade is booked with its costs, and what the ledger has added up.

        It holds at any moment: of later trades the ledger may have counted some, whose keys the journal tells. None
        before the session has begun.
        """
        return (self.history_from_ns, self._books.ledger.state) if self.history_from_ns else None

    def settle(self) -> None:
        """Write it down for the next life, which goes on from there."""
        if (settled := self.settled()) is not None:
            self._books.journal.settle(*settled)
            self._books.journal.state.share(self._books.ledger.counted)

    def look(self, now_ns: int) -> None:
        """Ask the venue when there is doubt, a lasting difference, or it is time for an audit."""
        if self._is_asking or not self._gateway.is_ready or RECOVERING in self._quotes.holds:
            return
        reasons = self._reasons(now_ns)
        if self._asking.is_due(reasons, now_ns):
            self._is_asking = True
            self._ports.spawn(self._audit(POSITION_DIFFERS in reasons), "audit")

    def _reasons(self, now_ns: int) -> Reasons:
        """Return what is to be asked for besides the regular audit."""
        manager = self._books.manager
        found: set[int | str] = {order.client_order_id for order in (*manager.in_doubt(), *manager.gaps())}
        if not self._differs_since_ns:
            if POSITION_DIFFERS in self._quotes.holds:
                found.add(HEALED)
        elif now_ns - self._differs_since_ns >= self._config.position_mismatch_ms * NS_PER_MS:
            found.add(POSITION_DIFFERS)
        return frozenset(found)

    def ask_soon(self, now_ns: int) -> None:
        """Bring the next audit forward: something that the venue said was lost. A flood of such asks once a second."""
        self._asking.ask_soon(now_ns)

    def doubt_position(self, reason: str) -> None:
        """A trade that may be of ours cannot be read: quote nothing until the venue's positions have been compared."""
        self._doubts += 1
        self._log.error(
            "a trade that may be ours is unreadable: quotes wait for the venue's positions. If they differ, end the "
            "session and begin another, which starts from them", reason=reason,
        )  # fmt: skip
        self.hold(POSITION_DIFFERS)
        self.ask_soon(self._clock.monotonic_ns())

    def take_positions(self, reports: list[PositionReport], is_snapshot: bool, now_ns: int) -> None:
        """Remember the venue's positions and since when they differ from ours."""
        seen = self._books.ledger.see(reports, self.venue_clock.realtime_ns(), is_snapshot=is_snapshot)
        if is_snapshot:
            self.venue_positions.clear()
        for report in seen:
            self.venue_positions[report.instrument_name] = report
        self.note_difference(now_ns)

    def venue_lots(self, desk: Desk) -> int:
        """Return the position by the venue's last word in whole lots, signed; no order for as many turns it round."""
        report = self.venue_positions.get(desk.name)
        return int(report.position / desk.instrument.lot_size) if report is not None else 0

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

    @property
    def is_consistent(self) -> bool:
        """Whether fills add up to the venue's position and the venue has told what every one of them cost."""
        return not self.differences() and not self._books.ledger.uncharged

    async def _audit(self, has_lasted: bool) -> None:
        """Compare orders, trades and positions; `has_lasted`: a difference that is still there holds the quotes."""
        interval_ns = int(self._config.audit_interval_s * NS_PER_S)
        session = self.session
        is_settled = False
        try:
            for report in (await self._compare_orders()).untracked:
                self._log.warning(
                    "an order of ours that was not tracked is cancelled",
                    venue_order_id=report.venue_order_id, instrument=report.instrument_name,
                )  # fmt: skip
                self._cancel(report)
            await self.fetch_trades()  # fills that cancel out and fees show nowhere else
            await self.fetch_positions()  # a change that was never told shows here: the next audit looks into it
            self._judge_positions(has_lasted)
            self.give_up_old_gaps()
            self._give_up_old_fees()
            is_settled = not self._books.manager.has_doubt() and not self._differs_since_ns
            if is_settled:
                self._move_history()
            self._ports.measures.counts.add("audits")
        except (VenueError, ProtocolError) as error:
            self._log.warning("audit refused by the venue", reason=str(error))
            if type(error) is ProtocolError:  # trades or positions that nobody can read: what is held is not known
                self.hold(POSITION_DIFFERS)
        except ConnectivityError as error:
            if self._gateway.is_ready:
                self._log.warning("audit without an answer", reason=str(error))
        finally:
            self._is_asking = False
            now_ns = self._clock.monotonic_ns()
            if session == self.session and is_settled:
                self._asking.settled(now_ns, interval_ns)
            elif session == self.session:  # while nothing is quoted for what is held it is asked more often
                is_held = self._differs_since_ns or POSITION_DIFFERS in self._quotes.holds
                pause_ns_max = min(interval_ns, LOST_PAUSE_NS) if is_held else interval_ns
                self._asking.open(now_ns, pause_ns_max, self._reasons(now_ns))
            self._ports.work_soon()

    def give_up_old_gaps(self) -> None:
        """Ask no longer for fills that the venue counts and has not told in GAP_PATIENCE_NS: if they moved the
        position, that differs, and quotes are held back for it."""
        now_ns, manager = self._clock.monotonic_ns(), self._books.manager
        gaps = manager.gaps()
        self._gaps_since_ns = {
            order.client_order_id: self._gaps_since_ns.get(order.client_order_id, now_ns) for order in gaps
        }
        for order in gaps:
            if now_ns - self._gaps_since_ns[order.client_order_id] >= GAP_PATIENCE_NS:
                manager.give_up_gap(order)
                self._log.error(
                    "the venue says that more was filled than it tells fills of: it is asked no longer",
                    order=repr(order), told_lots=order.booked_lots, filled_lots=order.filled_lots,
                )  # fmt: skip

    def _give_up_old_fees(self) -> None:
        """Wait no longer for what fills cost that the history has not told in FEE_PATIENCE_NS: as long as one is waited
        for every audit reads all trades since it."""
        now_ns, ledger = self._clock.monotonic_ns(), self._books.ledger
        self._fees_since_ns = {key: self._fees_since_ns.get(key, now_ns) for key in ledger.awaited_fees}
        for key, since_ns in self._fees_since_ns.items():
            if now_ns - since_ns >= FEE_PATIENCE_NS:
                ledger.give_up_fee(key)
                self._log.error(
                    "the history does not tell what a fill cost: its fee is not booked, and waited for no longer",
                    trade_id=key[0], venue_order_id=key[1],
                )  # fmt: skip

    def _move_history(self) -> None:
        """Ask for no trades again that are booked with what they cost."""
        unbooked_ns = self._books.ledger.unbooked_since_ns
        settled_ns = self._newest_trade_ns if unbooked_ns is None else min(self._newest_trade_ns, unbooked_ns)
        self.history_from_ns = max(self.history_from_ns, settled_ns - HISTORY_MARGIN_NS)
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._settle_due_ns:
            self._settle_due_ns = now_ns + SETTLE_INTERVAL_NS
            self.settle()

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
        self._meet_strangers([report for report in result.untracked if report.label != self._label])
        return OursAtVenue(ours, [report for report in result.untracked if report.label == self._label])

    def _judge_positions(self, has_lasted: bool) -> None:
        """Hold the quotes back for a difference that has lasted and still cannot be explained; release them as soon
        as there is none, whatever has ended it."""
        if not self.differences() and self._doubts == self._doubts_settled:
            self.release(POSITION_DIFFERS)
        elif has_lasted:
            self.hold(POSITION_DIFFERS)
        if has_lasted:
            self.warn_if_different()

    # ---- questions to the venue ------------------------------------------------------------------------

    async def cancel_ours(self) -> int:
        """Ask for the open orders, cancel ours, and return how many there were."""
        ours = (await self._compare_orders()).all
        for report in ours:
            self._cancel(report)
        return len(ours)

    async def fetch_positions(self) -> None:
        """Take over the venue's positions, and book daily settlements that are awaited: what they have paid is asked
        for first, so that the positions are of after it."""
        ledger, venue_ns = self._books.ledger, self.venue_clock.realtime_ns()
        reports = await self._settlements.ask(self._gateway, ledger.settlements_from_ns(venue_ns), venue_ns)
        doubts = self._doubts
        asked_ns = self._clock.monotonic_ns()
        positions = await self._gateway.positions()
        self._doubts_settled = doubts
        if reports is not None:
            self._settlements.tell(ledger.book_settlements(reports))
        self.take_positions(positions, True, self._clock.monotonic_ns())
        self.positions_asked_ns = asked_ns

    async def fetch_trades(self) -> int:
        """Book the history since the last agreement; return how many fills had been missed."""
        trades = await self._gateway.trade_history(self.history_from_ns)
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

    def _cancel(self, report: OrderReport) -> None:
        """Cancel an order by the venue's own id: our book may not know it."""
        self._books.journal.message(
            "CANCEL", instrument=report.instrument_name, venue_order_id=report.venue_order_id,
            client_order_id=report.client_order_id or 0,
        )  # fmt: skip
        self._gateway.cancel_order(report.venue_order_id)

    def _meet_strangers(self, reports: list[OrderReport]) -> None:
        """Say once of each order that it is not ours; cancel it, as often as it shows, if that is configured."""
        for report in reports:
            must_go = self._config.cancel_strangers and report.instrument_name in self._books.desks
            if must_go:
                self._cancel(report)
            if report.venue_order_id not in self.strangers:
                self._ports.measures.counts.add("strangers")
                self._log.warning(
                    "an order that is not ours is cancelled" if must_go else "an order that is not ours is left alone",
                    venue_order_id=report.venue_order_id, instrument=report.instrument_name, label=report.label,
                )  # fmt: skip
        self.strangers = frozenset(report.venue_order_id for report in reports)
