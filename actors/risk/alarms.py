"""Alarms: what an operator should know and no limit stops. Each is logged, counted and written down."""

from __future__ import annotations

import math
from collections.abc import Iterable

from actors.risk.decisions import DecisionLog
from domain.clock import NS_PER_S
from domain.reports import TradeReport
from runtime.actor import ActorContext
from trading.risk.account_view import AccountView
from trading.risk.markouts import Markouts

_BPS = 1e4


class Alarms:
    """Watches the fills and the market of each instrument."""

    def __init__(self, ctx: ActorContext, decisions: DecisionLog) -> None:
        config = ctx.config.risk.alarms
        self._ctx = ctx
        self._decisions = decisions
        self._config = config
        self._markouts = {name: Markouts(config.markout_s, config.markout_fills) for name in ctx.instrument_names}
        self._told_ns: dict[tuple[str, str], int] = {}

    def on_trades(self, trades: Iterable[TradeReport], now_ns: int) -> None:
        """Take in trades of ours; one that is older than the delay, read after a reconnect, is not judged."""
        realtime_ns = self._ctx.clock.realtime_ns()
        for trade in trades:
            markouts = self._markouts.get(trade.instrument_name)
            if markouts is not None and realtime_ns - trade.time_ns < self._config.markout_s * NS_PER_S:
                markouts.on_fill(trade.side, float(trade.price), now_ns)

    def look(self, account: AccountView, mids: Iterable[float], now_ns: int) -> None:
        """Judge fills and market; `mids` by row, NaN where there is none."""
        config = self._config
        for name, mid in zip(self._ctx.instrument_names, mids, strict=True):
            markouts = self._markouts[name]
            markouts.on_mid(mid, now_ns)
            mean_bps = markouts.mean_bps()
            if mean_bps < -config.markout_bps:
                fills_judged = f"our last {config.markout_fills} fills, {config.markout_s:g} s after each"
                text = f"the mid goes {-mean_bps:.2f} bps against {fills_judged}"
                self._tell("adverse_selection", name, text, now_ns, markout_bps=mean_bps)
            fills = markouts.fills_last_minute(now_ns)
            if fills > config.fills_per_min:
                self._tell("fill_rate", name, f"{fills} fills in a minute", now_ns, fills=fills)
            away_bps = (mid / account.mark(name) - 1.0) * _BPS
            if math.isfinite(away_bps) and abs(away_bps) > config.mark_deviation_bps:
                text = f"the mid {mid:.10g} is {away_bps:.1f} bps from the mark {account.mark(name):.10g}"
                self._tell("market_anomaly", name, text, now_ns, mid=mid, mark=account.mark(name))

    def _tell(self, alarm: str, name: str, text: str, now_ns: int, **numbers: float) -> None:
        pause_ns = int(self._config.pause_s * NS_PER_S)
        if now_ns - self._told_ns.get((alarm, name), -pause_ns) < pause_ns:
            return
        self._told_ns[alarm, name] = now_ns
        self._ctx.counters.add("alarms")
        self._ctx.log.warning("alarm", alarm=alarm, instrument=name, text=text)
        self._decisions.write("alarm", text, alarm=alarm, instrument=name, **numbers)
