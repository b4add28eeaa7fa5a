"""What risk reads from shared memory and what it writes there: marks, signs of life, limits, the risk row."""

from __future__ import annotations

import math
from typing import NamedTuple

from actors.risk.money import write_exact
from domain.clock import NS_PER_MS
from domain.codes import ActorPhase, OrderEventKind
from domain.grid import grid_in, off_in
from domain.order import TradingState
from domain.records import ACCOUNT, FEED, QUOTE_LEVELS_MAX, RISK, SHARED_MARKET_DATA, TICKER
from runtime.actor import ActorContext
from runtime.heartbeats import HeartbeatReader
from shm.record import load_row
from trading.ledger_line import Pnl
from trading.quoting.config import QuotingConfig
from trading.risk.config import RiskConfig
from trading.risk.exposure import risk_of
from trading.risk.limits import fill_limits
from trading.risk.monitor import ExecutionView, RiskMonitor
from trading.risk.rooms import rooms_of
from trading.risk.states import RULES, Release

EVENTS_PER_READ = 4096
_MARK_SEEN = TICKER.word("receive_time_ns")
_MARK_PRICE = TICKER.word("mark_price")
_EXCHANGE_TIME, _RECEIVE_REALTIME = TICKER.word("exchange_time_ns"), TICKER.word("receive_realtime_ns")
_LAST_PRICE = TICKER.word("last_price")
_SIGMA = SHARED_MARKET_DATA.word("volatility")
_MID = SHARED_MARKET_DATA.word("mid")
_STATUS = SHARED_MARKET_DATA.word("status")
_ALIVE_TIME_NS = FEED.word("alive_time_ns")
_IS_KNOWN = ACCOUNT.word("is_known")
_POSITION_LOTS = ACCOUNT.word("position_lots")
_ANSWERED_KINDS = (OrderEventKind.ACCEPTED, OrderEventKind.AMENDED, OrderEventKind.REJECTED)
LATCHED_HALTS = [
    cause for cause, rule in RULES.items() if rule.release is Release.OPERATOR and rule.state is TradingState.HALTED
]
UNKNOWN_ACCOUNT = ExecutionView(False, 0)


class ExecutionLife(NamedTuple):
    """Execution's newest sign of life; `beat_time_ns` is 0 when it never lived."""

    beat_time_ns: int
    is_stopping: bool


class RiskTables:
    """Readers and writers of one risk process.

    Attributes:
        mids: of each instrument without our orders, quote currency; NaN while there is none.
    """

    def __init__(self, ctx: ActorContext) -> None:
        self._clock = ctx.clock
        self._rows = range(len(ctx.instrument_names))
        self._levels = [_levels(ctx.config.instruments[name].strategy) for name in ctx.instrument_names]
        self.mids = [math.nan] * len(ctx.instrument_names)
        self._instruments = ctx.table_reader("instruments")
        self._tickers = ctx.table_reader("ticker_table")
        self._market = ctx.table_reader("market")
        self._feed = ctx.table_reader("feed")
        self._accounts = ctx.table_reader("accounts")
        self._heartbeat = HeartbeatReader(ctx.table_reader("heartbeats.execution"))
        self._order_events = ctx.ring_reader("order_events", start="newest")
        self._limits = ctx.table_writer("limits")
        self._risk = ctx.table_writer("risk")

    # ---- in ------------------------------------------------------------------------------------------

    def read_marks(self, monitor: RiskMonitor) -> None:
        """Hand the newest mark price of each instrument to the monitor; NaN while there is none.

        A venue moves its marks every second: an old one means that the ticker's channel has died, whatever else of
        the feed lives, and losses measured with it would be those of the past.
        """
        seen_ns_min = self._clock.monotonic_ns() - monitor.config.mark_stale_ms * NS_PER_MS
        for row in self._rows:
            is_fresh = load_row(self._tickers, row) and self._tickers.ints[_MARK_SEEN] >= seen_ns_min
            monitor.account.on_mark(row, self._tickers.floats[_MARK_PRICE] if is_fresh else math.nan)
            monitor.account.on_last_price(row, self._tickers.floats[_LAST_PRICE] if is_fresh else math.nan)

    def venue_ahead_ns(self) -> int | None:
        """Return by how much the venue's clock is ahead of ours, by its newest stamp; None while there is none.

        It is too little by the way of the message and the age of the mark price: a second or two.
        """
        found = [
            self._tickers.ints[_EXCHANGE_TIME] - self._tickers.ints[_RECEIVE_REALTIME]
            for row in self._rows
            if load_row(self._tickers, row) and self._tickers.ints[_EXCHANGE_TIME] > 0
        ]
        return int(max(found)) if found else None

    def read_market(self, monitor: RiskMonitor) -> None:
        """Take mids, and hand to the monitor how much each instrument moves; NaN while strategy does not say."""
        for row in self._rows:
            is_measured = load_row(self._market, row)
            monitor.account.on_sigma(row, self._market.floats[_SIGMA] if is_measured else math.nan)
            self.mids[row] = self._market.floats[_MID] if is_measured and self._market.ints[_STATUS] else math.nan

    def read_instruments(self, monitor: RiskMonitor) -> None:
        """Hand the session's grid of each instrument to the monitor, and whether market_data has switched it off."""
        for row in self._rows:
            if load_row(self._instruments, row):
                monitor.account.on_session_grid(row, grid_in(self._instruments), off_in(self._instruments))

    def read_orders_sent(self, monitor: RiskMonitor) -> None:
        """Hand the times of inserts and amends that the venue answered to the monitor."""
        events = self._order_events.read(EVENTS_PER_READ)
        if len(events):
            answered = events[[int(kind) in _ANSWERED_KINDS for kind in events["kind"]]]
            monitor.on_orders_sent(sorted(int(at) for at in answered["local_time_ns"]))

    def feed_time_ns(self) -> int:
        """Return when market_data last heard anything from the venue, monotonic; 0 = never."""
        return self._feed.ints[_ALIVE_TIME_NS] if load_row(self._feed, 0) else 0

    def execution(self) -> ExecutionLife:
        beat = self._heartbeat.read()
        return ExecutionLife(beat.beat_time_ns, beat.phase is ActorPhase.STOPPING)

    def execution_pid(self) -> int:
        """Return the process id in execution's newest sign of life; 0 = it never lived."""
        return self._heartbeat.read().pid

    def is_execution_silent(self, config: RiskConfig) -> bool:
        """Return whether execution has given no sign of life for longer than it may."""
        return self._clock.monotonic_ns() - self.execution().beat_time_ns > config.execution_silent_ms * NS_PER_MS

    def execution_views(self) -> list[ExecutionView]:
        """Return what execution says of each instrument."""
        return [
            ExecutionView(bool(self._accounts.ints[_IS_KNOWN]), self._accounts.ints[_POSITION_LOTS])
            if load_row(self._accounts, row)
            else UNKNOWN_ACCOUNT
            for row in self._rows
        ]

    # ---- out -----------------------------------------------------------------------------------------

    def publish_limits(self, monitor: RiskMonitor, now_ns: int) -> None:
        """Write the limits of every instrument."""
        rooms = rooms_of(monitor.account, monitor.config)
        for row in self._rows:
            fill_limits(
                self._limits.ints,
                self._limits.floats,
                config=monitor.config,
                holding=monitor.account.holding(row),
                verdict=monitor.verdict(now_ns, row),
                rooms=rooms,
                levels=self._levels[row],
                now_ns=now_ns,
            )
            self._limits.publish(row)

    def publish_risk(
        self, monitor: RiskMonitor, pnl: Pnl | None, *, is_connected: bool, open_orders: int, now_ns: int
    ) -> None:
        """Write the row of the whole account; while its profit and loss is not known the last stays for display."""
        verdict, risk = monitor.verdict(now_ns), risk_of(monitor.account, monitor.config)
        ints = {
            "written_time_ns": now_ns,
            "state": int(verdict.state),
            "reason": int(verdict.reason),
            "is_kill_latched": int(any(monitor.states.is_held(cause) for cause in LATCHED_HALTS)),
            "is_connected": int(is_connected),
            "open_orders": open_orders,
        }
        floats = {
            "equity": monitor.drawdown.equity,
            "equity_peak": monitor.drawdown.peak,
            "gross_notional": monitor.account.gross_notional,
            "net_notional": monitor.account.net_notional,
            "value_at_risk": risk.value_at_risk,
            "expected_shortfall": risk.expected_shortfall,
        }
        if pnl is not None:
            floats |= {
                "realised_pnl": float(pnl.realised),
                "unrealised_pnl": float(pnl.unrealised),
                "fees": float(pnl.fees),
                "funding": float(pnl.funding),
            }
        for name, number in ints.items():
            self._risk.ints[RISK.word(name)] = number
        for name, value in floats.items():
            self._risk.floats[RISK.word(name)] = value
        write_exact(self._risk, pnl)
        self._risk.publish(0)


def _levels(strategy: QuotingConfig) -> int:
    """Return how many levels of each side a strategy quotes; a user's own may quote as many as there is room for."""
    return QUOTE_LEVELS_MAX if strategy.file else strategy.levels
