"""What risk concludes from what it sees: the conditions behind each cause, ten times a second, in every state.

Pure: positions, trades, marks, signs of life and times are passed in; the state, the limits and the figures are
read off. The venue is right about the position; execution's own count is only compared with it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import RiskReason
from domain.grid import IN_FORCE
from domain.order import TradingState
from trading.risk.account_view import AccountView
from trading.risk.config import RiskConfig
from trading.risk.drawdown import Drawdown
from trading.risk.exits import Trail
from trading.risk.exposure import tell_of_exposure
from trading.risk.holding import position_lots
from trading.risk.position_rules import PositionRules
from trading.risk.round_trips import RoundTrip
from trading.risk.states import ACCOUNT, Cause, RiskStates, Tell, Verdict

# Answers come bunched where sends were spread: only this multiple of the gate's own rate shows that it was passed by.
ORDER_RATE_TOLERANCE = 1.5


class ExecutionView(NamedTuple):
    """What execution says of one instrument."""

    is_known: bool
    position_lots: int


class SignsOfLife(NamedTuple):
    """Monotonic times of the newest sign of each; 0 = never."""

    feed_time_ns: int
    execution_time_ns: int
    venue_time_ns: int


class RiskMonitor:
    """The account as the venue shows it, and the causes that follow.

    Attributes:
        config: limits now in force.
        account: what the venue shows.
        states: causes that hold.
        drawdown: equity, peak and first equity of the day.
        positions: the rules for single positions, and which are to be closed.
        round_trips: holdings since they were flat, by instrument; filled once the account has been read.
    """

    def __init__(
        self,
        config: RiskConfig,
        instrument_names: Sequence[str],
        states: RiskStates,
        drawdown: Drawdown,
        trails: Mapping[str, Trail] = MappingProxyType({}),
    ) -> None:
        self.config = config
        self.states = states
        self.drawdown = drawdown
        self.account = AccountView(instrument_names)
        self.positions = PositionRules(self.account, trails)
        self.positions.take_up(states)
        self.round_trips: dict[str, RoundTrip] = {}
        self._has_execution_lived = False
        self._differs_since_ns: dict[int, int] = {}
        self._order_times_ns: deque[int] = deque()

    def on_orders_sent(self, times_ns: Iterable[int]) -> None:
        """Count inserts and amends that the venue answered, by monotonic time."""
        self._order_times_ns.extend(times_ns)

    def verdict(self, now_ns: int, row: int = ACCOUNT) -> Verdict:
        """Return the state of one instrument, or with ACCOUNT of the whole account."""
        verdict = self.states.verdict(now_ns, row)
        if row == ACCOUNT or verdict.state is TradingState.HALTED:
            return verdict
        off = self.account.instrument_off(row)
        return verdict if off == IN_FORCE else Verdict(TradingState.HALTED, RiskReason.INSTRUMENT_OFF, off.text)

    @property
    def forgiven(self) -> dict[str, int]:
        """Up to which time of the venue losing streaks have had their consequence, by instrument, for a successor."""
        return {name: trip.forgiven_ns for name, trip in self.round_trips.items() if trip.forgiven_ns}

    @property
    def interval_ns(self) -> int:
        """Time until the next evaluation: it shortens as gross notional nears its limit; unknown counts as full."""
        config = self.config
        use = self.account.gross_notional / config.gross_notional_max_usd
        use = min(use, 1.0) if use >= 0.0 else 1.0
        return int((config.interval_ms - use * (config.interval_ms - config.interval_min_ms)) * NS_PER_MS)

    def evaluate(
        self, *, is_started: bool, life: SignsOfLife, execution: Sequence[ExecutionView], now_ns: int, realtime_ns: int
    ) -> None:
        """Bring every cause up to date.

        Args:
            is_started: instruments, positions and the trades of the session have been read from the venue.
            execution: what execution says, by row.
        """

        def tell(cause: Cause, is_present: bool, text: str, scope: int = ACCOUNT) -> None:
            self.states.tell(cause, is_present, text, now_ns=now_ns, realtime_ns=realtime_ns, scope=scope)

        config = self.config
        tell(Cause.STARTING, not is_started, "reading positions, orders and trades from the venue")
        tell(Cause.POSITION_UNKNOWN, not self.account.are_positions_known, "the venue has not told the positions")
        self._tell_of_silence(tell, life, now_ns)
        self._tell_of_losses(tell, is_started)
        tell_of_exposure(tell, self.account, config)
        self.positions.tell(tell, config, self.round_trips)
        self._tell_of_differences(tell, execution, now_ns)
        self._tell_of_rate(tell, now_ns)

    def _tell_of_silence(self, tell: Tell, life: SignsOfLife, now_ns: int) -> None:
        config = self.config
        self._has_execution_lived |= life.execution_time_ns > 0
        for cause, who, seen_ns, silent_ms_max in (
            (Cause.VENUE_SILENT, "risk's connection to the venue", life.venue_time_ns, config.venue_silent_ms),
            (Cause.STALE_MARKET_DATA, "market data", life.feed_time_ns, config.market_data_stale_ms),
            (Cause.EXECUTION_SILENT, "execution", life.execution_time_ns, config.execution_silent_ms),
        ):
            silent_ms = (now_ns - seen_ns) // NS_PER_MS
            text = f"{who} is silent for {silent_ms} ms" if seen_ns else f"no sign of life of {who} yet"
            if cause is Cause.EXECUTION_SILENT and not seen_ns and self._has_execution_lived:
                text = "execution has died"  # the supervisor erased its heartbeat
            tell(cause, silent_ms > silent_ms_max, text)

    def _tell_of_losses(self, tell: Tell, is_started: bool) -> None:
        config, drawdown, gross = self.config, self.drawdown, self.account.gross_notional
        is_finite = math.isfinite(gross) and math.isfinite(drawdown.equity)
        tell(
            Cause.NOT_FINITE,
            is_started and not is_finite,
            f"gross notional {gross}, equity {drawdown.equity}: a mark is missing, or older than "
            f"{config.mark_stale_ms} ms",
        )
        tell(
            Cause.LOSS_FROM_PEAK,
            is_started and drawdown.from_peak > config.loss_from_peak_max_usd,
            f"equity {drawdown.equity:.2f} is {drawdown.from_peak:.2f} below its peak {drawdown.peak:.2f}, "
            f"limit {config.loss_from_peak_max_usd:.2f} USD",
        )
        tell(
            Cause.LOSS_OF_DAY,
            is_started and drawdown.of_day > config.loss_of_day_max_usd,
            f"lost {drawdown.of_day:.2f} since midnight UTC, limit {config.loss_of_day_max_usd:.2f} USD",
        )
        streak = max((trip.losses for trip in self.round_trips.values()), default=0)
        is_streak = bool(config.losing_streak_max) and streak >= config.losing_streak_max
        tell(Cause.LOSING_STREAK, is_streak, f"{streak} round trips in a row lost, limit {config.losing_streak_max}")
        if is_streak:
            for trip in self.round_trips.values():
                trip.forgive()  # the cool-down counts from here

    def _tell_of_differences(self, tell: Tell, execution: Sequence[ExecutionView], now_ns: int) -> None:
        for row, name in enumerate(self.account.names):
            holding = self.account.holding(row)
            ours, theirs = position_lots(holding), execution[row]
            if holding.position is None or holding.instrument is None or not theirs.is_known:
                continue
            differs = ours != theirs.position_lots
            since_ns = self._differs_since_ns.setdefault(row, now_ns) if differs else now_ns
            if not differs:
                self._differs_since_ns.pop(row, None)
            tell(
                Cause.POSITION_DIFFERS,
                now_ns - since_ns > self.config.position_difference_s * NS_PER_S,
                f"{name}: the venue says {ours} lots, execution {theirs.position_lots}",
                row,
            )

    def _tell_of_rate(self, tell: Tell, now_ns: int) -> None:
        times_ns = self._order_times_ns
        while times_ns and times_ns[0] <= now_ns - NS_PER_S:
            times_ns.popleft()
        rate_max = self.config.order_rate_max_per_s * ORDER_RATE_TOLERANCE
        tell(
            Cause.ORDER_RATE,
            len(times_ns) > rate_max,
            f"{len(times_ns)} orders in one second, {rate_max:.0f} can be explained",
        )
