"""Recovery, at the start and after every reconnect.

It cancels what is ours, books what was filled, and ends when the fills of the session add up to the venue's position;
until then nothing is quoted. A process that is started anew goes on from the ledger that the one before it
wrote down last, and asks for the trades since then; when these do not add up, it counts from the session's start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

from actors.execution.books import AccountBooks
from actors.execution.grids import Grids
from actors.execution.permission import RECOVERING
from actors.execution.ports import Ports
from actors.execution.quotes import QuoteSender
from actors.execution.session_state import SessionState, StartPosition, save_session_state
from actors.execution.truth import HISTORY_MARGIN_NS, Truth
from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import ConnectivityError, HistoryTooLongError, ProtocolError, VenueError
from domain.instrument import InstrumentKind
from trading.fill_keys import FillKeys, fingerprint
from trading.ledger import Ledger
from venues.gateway import OrderGateway

PAUSE_S_MIN, PAUSE_S_MAX = 0.02, 1.0
BASELINE_SPAN_NS = 2 * 3600 * NS_PER_S  # spans a wall clock that is an hour off
REBASE_TRIES = 5
RESUME_TRIES = 10  # five seconds
TRIES_MAX = 2 * RESUME_TRIES  # as many again after all fills were counted anew


class Recovery:
    """Brings orders and money to the venue's truth, once for each session with it.

    Args:
        state: where the session's ledger starts, if an earlier process of this run has written it down.
        on_recovered: called at each end, also when the position differs still.
    """

    def __init__(
        self,
        ports: Ports,
        gateway: OrderGateway,
        books: AccountBooks,
        quotes: QuoteSender,
        grids: Grids,
        truth: Truth,
        state: SessionState | None,
        on_recovered: Callable[[], None],
    ) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._log = ports.log
        self._gateway = gateway
        self._books = books
        self._quotes = quotes
        self._grids = grids
        self._truth = truth
        self._on_recovered = on_recovered
        self._is_resumed = False  # until the first recovery has ended
        self._may_begin_anew = state is None  # until the first order: the history may lag behind the positions
        self.state = state
        truth.hold(RECOVERING)
        if state is not None:
            self._use_state(state)
            self._resume()

    def begin(self) -> None:
        """A session with the venue has begun: nothing is quoted until both sides agree."""
        self._truth.session += 1
        self._truth.hold(RECOVERING)
        self._ports.spawn(self._recover(self._truth.session), "recovery")

    def on_disconnected(self) -> None:
        """What runs for the lost session gives up."""
        self._truth.session += 1
        self._truth.hold(RECOVERING)

    async def ended(self, timeout_s: float) -> bool:
        """Wait for a recovery that is under way; return whether it has ended in time."""
        deadline_ns = self._clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        while RECOVERING in self._quotes.holds:
            if self._clock.monotonic_ns() >= deadline_ns:
                return False
            await asyncio.sleep(PAUSE_S_MIN)
        return True

    async def _recover(self, session: int) -> None:
        pause_s = PAUSE_S_MIN
        rounds = 0  # that have compared; cancelling may take some before them
        is_listed = False
        began_ns = self._clock.monotonic_ns()
        while session == self._truth.session:
            try:
                if not is_listed:
                    self._grids.take_listed(await self._gateway.instruments())
                    is_listed = True
                if not await self._truth.cancel_ours():
                    is_agreed = await self._agrees(rounds)
                    rounds += 1
                    if is_agreed or self._is_in_vain(rounds):
                        break
            except ConnectivityError:
                if not self._gateway.is_ready:
                    return  # the next session begins with a recovery of its own
            except (VenueError, ProtocolError) as error:
                self._log.warning("recovery is delayed by the venue", reason=str(error))
            except OSError as error:
                self._log.warning(
                    "recovery is delayed by the disk: the start of the session is not written yet", reason=str(error)
                )
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)
        if session != self._truth.session:
            return
        now_ns = self._clock.monotonic_ns()
        self._may_begin_anew = self._is_resumed = False
        if self._truth.differences():
            self._truth.disagreed(now_ns)
        else:
            self._truth.agreed(now_ns)
            self._log.info(
                "recovered",
                after_ms=(now_ns - began_ns) // NS_PER_MS,
                positions={name: str(line.position) for name, line in self._books.ledger.lines.items()},
            )
        self._on_recovered()

    async def _agrees(self, rounds: int) -> bool:
        """Compare, once nothing of ours is open; return whether the position adds up."""
        await self._truth.fetch_positions()
        if self.state is None or (rounds >= REBASE_TRIES and self._may_begin_anew):
            await self._begin_session()
        elif rounds >= RESUME_TRIES and self._is_resumed:
            self._count_anew(self.state)
        try:
            await self._truth.fetch_trades()
        except HistoryTooLongError as error:
            self._log.error(
                "the session's fills cannot be counted: it begins anew from the venue's position, and so do its profit "
                "and loss", reason=str(error),
            )  # fmt: skip
            self._may_begin_anew = True
            await self._begin_session()
        self._truth.give_up_old_gaps()
        self._truth.warn_if_different()
        return not self._truth.differences() and not self._books.manager.has_doubt()

    def _is_in_vain(self, rounds: int) -> bool:
        """Return whether nothing of ours is open or in doubt, and all has been tried that could explain a difference.

        A recovery that went on would never let execution be live, and the supervisor would start it again and again.
        """
        return rounds >= TRIES_MAX and not self._may_begin_anew and not self._books.manager.has_doubt()

    async def _begin_session(self) -> None:
        """Write down what the venue shows before the first order, and count from there."""
        journal = self._books.journal.state
        told = journal.fills.without(())  # before the venue is asked: what it shows contains them
        realtime_ns = self._clock.realtime_ns()
        since_ns = max(realtime_ns - BASELINE_SPAN_NS, 0)
        trades = await self._gateway.trade_history(since_ns)
        await self._truth.fetch_positions()
        if trades:
            since_ns = max(trade.time_ns for trade in trades) - HISTORY_MARGIN_NS
        state = SessionState(
            started_realtime_ns=realtime_ns,
            history_since_ns=since_ns,
            trades_before=[trade.key for trade in trades if trade.time_ns >= since_ns],
            positions={name: self._start_position(name) for name in self._books.desks},
            seen_ns=self._truth.venue_clock.realtime_ns(),
        )
        save_session_state(self._ports.run_dir, state)
        self._log.info(
            "session begins", positions={name: str(start.position) for name, start in state.positions.items()}
        )
        self.state = state
        self._use_state(state, before=told)
        if journal.settled is not None:  # of before this start: no next life may go on from there
            self._truth.settle()

    def _start_position(self, name: str) -> StartPosition:
        report = self._truth.venue_positions.get(name)
        if report is None or not report.position:
            return StartPosition(Decimal(0), Decimal(0), Decimal(0))
        price = report.mark_price or report.average_price
        return StartPosition(report.position, price, report.unrealised_funding)

    def _use_state(self, state: SessionState, *, before: FillKeys | None = None, instead: bool = False) -> None:
        """Count from this start, and never those `before` it, should the venue tell them again."""
        multipliers = {name: desk.instrument.contract_multiplier for name, desk in self._books.desks.items()}
        if before is not None:
            before = before.without(map(fingerprint, state.trades_before))
        ledger = Ledger(multipliers, ignored=state.trades_before, before=before)
        self._books.journal.state.ignore(state.trades_before)
        for name, start in state.positions.items():
            if name in ledger.lines:
                has_funding = self._books.desks[name].instrument.kind is InstrumentKind.PERPETUAL
                seen_ns = (state.seen_ns or state.started_realtime_ns) if has_funding else 0
                ledger.lines[name].begin(start.position, start.price, start.unrealised_funding, seen_ns=seen_ns)
        self._truth.history_from_ns = state.history_since_ns
        self._books.restart_ledger(ledger, instead=instead)

    def _resume(self) -> None:
        """Go on from the ledger that the journal tells, if it tells all fills that this has counted."""
        journal = self._books.journal.state
        settled, counted = journal.settled, journal.settled_fills()
        ledger = self._books.ledger
        if settled is None or counted is None or settled.ledger.lines.keys() != ledger.lines.keys():
            return
        if settled.history_from_ns < self._truth.history_from_ns:  # the session has begun anew since
            return
        ledger.resume(settled.ledger, counted)
        self._books.restart_ledger(ledger)
        self._truth.history_from_ns = max(self._truth.history_from_ns, settled.history_from_ns)
        self._is_resumed = True
        self._log.info("the ledger goes on from the journal", fills=settled.ledger.fills)

    def _count_anew(self, state: SessionState) -> None:
        """Give up the ledger of the journal: with it fills and position do not add up."""
        self._is_resumed = False
        self._log.warning("the journal's ledger does not add up to the venue's position: counting all fills anew")
        self._use_state(state, instead=True)
