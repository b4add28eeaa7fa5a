"""Which state risk is in, and why: one table of causes.

A cause is something that takes freedom away. It holds for the whole account or for one instrument, and its rule
says which state it demands and what ends it. The state is always the strictest one demanded; there is no other
memory, so no order of events can leave the machine in a state that nothing asks for.

    active ──> reducing ──> halted ──> recovering ──> active      any cause, at any time, may go straight to its state

`recovering` is itself a cause: halts that somebody or something had to decide are followed by a while in which the
limits grow back step by step. Monitoring goes on in every state.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple, Protocol

import msgspec

from domain.codes import RiskReason
from domain.order import TradingState

ACCOUNT = -1  # scope of a cause that holds for every instrument; other scopes are rows of the instruments table


class Cause(Enum):
    """What can take freedom away; strictest first, then the one that an operator should hear of first."""

    KILLED = "killed"
    LOSS_FROM_PEAK = "loss_from_peak"
    LOSS_OF_DAY = "loss_of_day"
    OPERATOR_HALT = "operator_halt"
    SESSION_ENDS = "session_ends"
    STARTING = "starting"
    VENUE_SILENT = "venue_silent"
    POSITION_UNKNOWN = "position_unknown"
    EXECUTION_SILENT = "execution_silent"
    STALE_MARKET_DATA = "stale_market_data"
    NOT_FINITE = "not_finite"
    STOP_LOSS = "stop_loss"
    TRAILING_STOP = "trailing_stop"
    TAKE_PROFIT = "take_profit"
    LOSING_STREAK = "losing_streak"
    ORDER_RATE = "order_rate"
    OPERATOR_REDUCE = "operator_reduce"
    LIQUIDATION_NEAR = "liquidation_near"
    MARGIN_USE = "margin_use"
    POSITION_LIMIT = "position_limit"
    NOTIONAL_LIMIT = "notional_limit"
    NET_NOTIONAL = "net_notional"
    VALUE_AT_RISK = "value_at_risk"
    EXPECTED_SHORTFALL = "expected_shortfall"
    POSITION_DIFFERS = "position_differs"
    RECOVERING = "recovering"


class Release(Enum):
    """What ends a cause."""

    ITSELF = "it is gone"
    COOLDOWN = "it has been gone for the cool-down"
    OPERATOR = "a resume; it is latched and survives restarts"


class Rule(NamedTuple):
    """What a cause demands. `recovers`: its end is followed by recovering."""

    state: TradingState
    reason: RiskReason
    release: Release
    recovers: bool = False


_HALTED, _REDUCING = TradingState.HALTED, TradingState.REDUCING
RULES: dict[Cause, Rule] = {
    Cause.KILLED: Rule(_HALTED, RiskReason.KILL, Release.OPERATOR, recovers=True),
    Cause.LOSS_FROM_PEAK: Rule(_HALTED, RiskReason.LOSS_FROM_PEAK, Release.OPERATOR, recovers=True),
    Cause.LOSS_OF_DAY: Rule(_HALTED, RiskReason.LOSS_OF_DAY, Release.OPERATOR, recovers=True),
    Cause.OPERATOR_HALT: Rule(_HALTED, RiskReason.OPERATOR, Release.OPERATOR, recovers=True),
    Cause.SESSION_ENDS: Rule(_HALTED, RiskReason.SESSION_ENDS, Release.ITSELF),
    Cause.STARTING: Rule(_HALTED, RiskReason.STARTING, Release.ITSELF),
    Cause.VENUE_SILENT: Rule(_HALTED, RiskReason.VENUE_DISCONNECTED, Release.ITSELF),
    Cause.POSITION_UNKNOWN: Rule(_HALTED, RiskReason.POSITION_UNKNOWN, Release.ITSELF),
    Cause.EXECUTION_SILENT: Rule(_HALTED, RiskReason.EXECUTION_SUSPECT, Release.ITSELF),
    Cause.STALE_MARKET_DATA: Rule(_HALTED, RiskReason.STALE_MARKET_DATA, Release.ITSELF),
    Cause.NOT_FINITE: Rule(_HALTED, RiskReason.NOT_FINITE, Release.ITSELF),
    Cause.STOP_LOSS: Rule(_HALTED, RiskReason.STOP_LOSS, Release.COOLDOWN, recovers=True),
    Cause.TRAILING_STOP: Rule(_HALTED, RiskReason.TRAILING_STOP, Release.COOLDOWN, recovers=True),
    Cause.TAKE_PROFIT: Rule(_HALTED, RiskReason.TAKE_PROFIT, Release.COOLDOWN, recovers=True),
    Cause.LOSING_STREAK: Rule(_HALTED, RiskReason.LOSING_STREAK, Release.COOLDOWN, recovers=True),
    Cause.ORDER_RATE: Rule(_HALTED, RiskReason.ORDER_RATE, Release.COOLDOWN, recovers=True),
    Cause.OPERATOR_REDUCE: Rule(_REDUCING, RiskReason.OPERATOR, Release.OPERATOR),
    Cause.LIQUIDATION_NEAR: Rule(_REDUCING, RiskReason.LIQUIDATION_NEAR, Release.ITSELF),
    Cause.MARGIN_USE: Rule(_REDUCING, RiskReason.MARGIN_USE, Release.ITSELF),
    Cause.POSITION_LIMIT: Rule(_REDUCING, RiskReason.POSITION_LIMIT, Release.ITSELF),
    Cause.NOTIONAL_LIMIT: Rule(_REDUCING, RiskReason.NOTIONAL_LIMIT, Release.ITSELF),
    Cause.NET_NOTIONAL: Rule(_REDUCING, RiskReason.NET_NOTIONAL, Release.ITSELF),
    Cause.VALUE_AT_RISK: Rule(_REDUCING, RiskReason.VALUE_AT_RISK, Release.ITSELF),
    Cause.EXPECTED_SHORTFALL: Rule(_REDUCING, RiskReason.EXPECTED_SHORTFALL, Release.ITSELF),
    Cause.POSITION_DIFFERS: Rule(_REDUCING, RiskReason.POSITION_DIFFERS, Release.ITSELF),
    Cause.RECOVERING: Rule(TradingState.RECOVERING, RiskReason.NONE, Release.COOLDOWN),
}
assert set(RULES) == set(Cause)
_PRECEDENCE = {cause: place for place, cause in enumerate(Cause)}


class Tell(Protocol):
    """Says whether a cause is present, of the account or of one instrument."""

    def __call__(self, cause: Cause, is_present: bool, text: str, scope: int = ACCOUNT) -> None: ...


class Latched(msgspec.Struct, frozen=True):
    """A cause that only an operator ends, as it is kept on disk."""

    cause: Cause
    text: str
    since_realtime_ns: int


class Verdict(NamedTuple):
    """The state demanded now, with the first of its causes.

    Attributes:
        recovery_step: 1 up to the last step of recovering; 0 in every other state.
    """

    state: TradingState
    reason: RiskReason
    text: str
    recovery_step: int = 0


ALL_CLEAR = Verdict(TradingState.ACTIVE, RiskReason.NONE, "")


FOREVER = 2**63 - 1  # end of a cause that is present


class _Held(NamedTuple):
    text: str
    since_realtime_ns: int
    until_ns: int  # monotonic


class Recovery(NamedTuple):
    """How freedom comes back: what a halt for the cool-down waits, then so many steps of that length."""

    cooldown_ns: int
    steps: int
    step_ns: int

    def length_ns(self, cause: Cause) -> int:
        """Return how long a cause lasts from when its end is known."""
        return self.steps * self.step_ns if cause is Cause.RECOVERING else self.cooldown_ns


class RiskStates:
    """The causes that hold now. All times are passed in.

    Attributes:
        recovery: may be replaced; what runs already keeps its end.
    """

    def __init__(self, recovery: Recovery, latched: Iterable[Latched] = ()) -> None:
        self.recovery = recovery
        self._held: dict[tuple[Cause, int], _Held] = {
            (one.cause, ACCOUNT): _Held(one.text, one.since_realtime_ns, FOREVER) for one in latched
        }

    def tell(
        self,
        cause: Cause,
        is_present: bool,
        text: str,
        *,
        now_ns: int,
        realtime_ns: int = 0,
        scope: int = ACCOUNT,
    ) -> None:
        """Say whether a cause is present. A latched one stays, whatever is said later."""
        key = (cause, scope)
        held = self._held.get(key)
        if is_present:
            if held is None or held.until_ns != FOREVER:
                self._held[key] = _Held(text, realtime_ns, FOREVER)
            return
        if held is None or held.until_ns != FOREVER or RULES[cause].release is Release.OPERATOR:
            return
        if RULES[cause].release is Release.COOLDOWN:
            self._held[key] = held._replace(until_ns=now_ns + self.recovery.cooldown_ns)
        else:
            self._end(key, now_ns)

    def resume(self, now_ns: int) -> list[Cause]:
        """End every latched cause and return them: the operator has looked."""
        ended = [key for key in self._held if RULES[key[0]].release is Release.OPERATOR]
        for key in ended:
            self._end(key, now_ns)
        return [cause for cause, _ in ended]

    def verdict(self, now_ns: int, scope: int = ACCOUNT) -> Verdict:
        """Return the state of one instrument, or with ACCOUNT the strictest state of all of them."""
        self._expire(now_ns)
        holding = [key for key in self._held if scope in (ACCOUNT, key[1]) or key[1] == ACCOUNT]
        if not holding:
            return ALL_CLEAR
        first = min(holding, key=lambda key: _PRECEDENCE[key[0]])
        rule, held = RULES[first[0]], self._held[first]
        if first[0] is not Cause.RECOVERING:
            return Verdict(rule.state, rule.reason, held.text)
        step = self._recovery_step(held, now_ns)
        return Verdict(rule.state, rule.reason, f"{held.text}: step {step} of {self.recovery.steps}", step)

    def hold(self, cause: Cause, scope: int, text: str, since_realtime_ns: int, until_ns: int) -> None:
        """Let a cause hold as it did before a restart."""
        self._held[(cause, scope)] = _Held(text, since_realtime_ns, until_ns)

    @property
    def ending_by_time(self) -> list[tuple[Cause, int, str, int, int]]:
        """Cause, scope, text, begin (wall clock) and end (monotonic, or FOREVER) of what a cool-down or time ends."""
        return [
            (cause, scope, *held)
            for (cause, scope), held in self._held.items()
            if RULES[cause].release is Release.COOLDOWN
        ]

    def is_account_halted(self, now_ns: int) -> bool:
        """Return whether a cause of the whole account halts it; halts of single instruments do not count."""
        self._expire(now_ns)
        return any(scope == ACCOUNT and RULES[cause].state is _HALTED for cause, scope in self._held)

    def is_held(self, cause: Cause, scope: int = ACCOUNT) -> bool:
        return (cause, scope) in self._held

    @property
    def latched(self) -> list[Latched]:
        """What must survive a restart."""
        return [
            Latched(cause, held.text, held.since_realtime_ns)
            for (cause, _), held in self._held.items()
            if RULES[cause].release is Release.OPERATOR
        ]

    def _expire(self, now_ns: int) -> None:
        for key in [key for key, held in self._held.items() if held.until_ns <= now_ns]:
            self._end(key, now_ns)

    def _end(self, key: tuple[Cause, int], now_ns: int) -> None:
        del self._held[key]
        length_ns = self.recovery.length_ns(Cause.RECOVERING)
        if RULES[key[0]].recovers and length_ns:
            self._held[(Cause.RECOVERING, key[1])] = _Held(f"after {key[0].value}", 0, now_ns + length_ns)

    def _recovery_step(self, held: _Held, now_ns: int) -> int:
        steps, step_ns = self.recovery.steps, self.recovery.step_ns
        steps_left = -(-(held.until_ns - now_ns) // step_ns) if step_ns else 1
        return max(steps - steps_left + 1, 1)
