"""Says each change of state once: in the log, and with the numbers in the record of decisions."""

from __future__ import annotations

from actors.risk.decisions import DecisionLog
from domain.order import TradingState
from runtime.actor import ActorContext
from trading.risk.monitor import RiskMonitor
from trading.risk.states import ACCOUNT, Verdict

_WHOLE_ACCOUNT = "account"


class StateTelling:
    """Remembers what was said of the account and of each instrument.

    Attributes:
        instruments_off: why instruments may not be traded, by name; empty texts left out.
    """

    def __init__(self, ctx: ActorContext, decisions: DecisionLog) -> None:
        self._ctx = ctx
        self._decisions = decisions
        self._told: dict[str, tuple[str, str, int]] = {}
        self.instruments_off: dict[str, str] = {}

    def look(self, monitor: RiskMonitor, now_ns: int) -> None:
        """Tell what has changed since the last look."""
        self._tell_state(monitor, _WHOLE_ACCOUNT, monitor.states.verdict(now_ns, ACCOUNT))
        for row, name in enumerate(self._ctx.instrument_names):
            self._tell_state(monitor, name, monitor.verdict(now_ns, row))
            self._tell_off(name, monitor.account.instrument_off(row).text)

    def _tell_state(self, monitor: RiskMonitor, scope: str, verdict: Verdict) -> None:
        state, reason = verdict.state.name, verdict.reason.name
        told = (state, reason, verdict.recovery_step)
        if told == self._told.get(scope):
            return
        self._told[scope] = told
        self._decisions.write(
            "state",
            verdict.text,
            scope=scope,
            state=state,
            reason=reason,
            equity=monitor.drawdown.equity,
            gross_notional=monitor.account.gross_notional,
            net_notional=monitor.account.net_notional,
        )
        if scope != _WHOLE_ACCOUNT:
            return  # the account's line names the strictest cause of all
        self._ctx.counters.add("state_changes")
        log = self._ctx.log.info if verdict.state is TradingState.ACTIVE else self._ctx.log.warning
        log("state", state=state, reason=reason, text=verdict.text)

    def _tell_off(self, name: str, text: str) -> None:
        if text == self.instruments_off.get(name, ""):
            return
        if text:
            self.instruments_off[name] = text
            self._ctx.log.error("instrument off: no order of it passes", instrument=name, reason=text)
        else:
            del self.instruments_off[name]
            self._ctx.log.info("the instrument is as the session began with it again", instrument=name)
