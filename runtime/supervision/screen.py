"""The session on a terminal: one live block, or a plain line now and then where nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from domain.clock import NS_PER_S
from runtime.supervision.status import held_back

QUANTILE_SAMPLES_MIN = 100

# Why strategy leaves a side out, by the name of its OffReason; `quoted` without an order is one on its way.
OFF_WORDS = {
    "no_book": "no valid book",
    "book_stale": "the book is too old",
    "position_unknown": "the position is not known yet",
    "position_limit": "the position is at the strategy's limit",
    "risk": "risk",
    "paused": "paused",
    "not_finite": "the model gave no price",
    "not_warm": "not enough measured yet",
    "stopping": "stopping",
    "size_min": "the size is below the venue's smallest",
    "instrument_changed": "the venue changed the instrument",
    "instrument_removed": "the venue lists it no more",
    "tick_refused": "the price jumped, and has not held yet",
    "post_fill": "filled a moment ago",
    "regime": "the market trends",
    "not_wanted": "the strategy wants none",
    "crossed": "the strategy's prices cross",
    "strategy_fault": "the strategy failed, see its log",
}


class StatusScreen:
    """One live block on a terminal, a plain line now and then elsewhere. Its console writes to an `Outlet`: it never
    waits, and never fails."""

    INTERVAL_S_TERMINAL = 0.5
    INTERVAL_S_PLAIN = 10.0

    def __init__(self, console: Console, session: str) -> None:
        self._console = console
        self._session = session
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        interval_s = self.INTERVAL_S_TERMINAL if self._live is not None else self.INTERVAL_S_PLAIN
        self._interval_ns = int(interval_s * NS_PER_S)
        self._due_ns = 0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show_if_due(self, now_ns: int, read: Callable[[], dict[str, Any]]) -> None:
        """Show the status when it is time to; `read` gives it."""
        if now_ns < self._due_ns:
            return
        is_first = self._due_ns == 0
        self._due_ns = now_ns + self._interval_ns
        if self._live is not None:
            self._live.update(status_block(read()), refresh=True)
        elif not is_first:
            self._console.print(f"{self._session}: {status_line(read())}", soft_wrap=True, markup=False)


def status_line(status: dict[str, Any]) -> str:
    """Return one plain line: for logs and pipes."""
    parts = [f"{status['seconds']:6.1f} s", risk_words(status)]
    for name, found in status["instruments"].items():
        if "position" in found:
            parts.append(f"{name} {sides_words(found)}, position {found['position']:g}, fills {found['fills']}")
        if "instrument_off" in found:
            parts.append(f"{name} off: {found['instrument_off']}")
    return " · ".join(
        [*parts, *recorder_words(status), *doing_words(status), quoted_words(status), money_words(status)]
    )


def doing_words(status: Mapping[str, Any]) -> list[str]:
    """Return what each actor is busy with that keeps it from its work, in short; nothing while all are at it."""
    return [f"{name} {actor['doing'].partition(':')[0]}" for name, actor in status["actors"].items() if actor["doing"]]


def risk_words(status: Mapping[str, Any]) -> str:
    """Return risk's state, why, and what ends it."""
    risk = status["risk"]
    why = f" ({risk['reason']})" if risk.get("reason", "none") != "none" else ""
    return f"risk {held_back(status['session'], risk) or risk['state'] + why}"


def quoted_words(status: Mapping[str, Any]) -> str:
    """Return how much of the time we were on the book: in all, and where no limit or pause took the side away."""
    allowed, raw = status["quoted_time_ratio"], status["quoted_time_ratio_raw"]
    return (
        f"on the book: bids {percent(raw['bid'])}, asks {percent(raw['ask'])}; "
        f"while allowed: bids {percent(allowed['bid'])}, asks {percent(allowed['ask'])}"
    )


def money_words(status: Mapping[str, Any]) -> str:
    """Return the profit and loss so far, fees included."""
    risk = status["risk"]
    return f"P&L {risk['equity']:+.2f} $ net" if "equity" in risk else "P&L not known yet"


def pnl_words(pnl: Mapping[str, str]) -> str:
    """Return the parts of a profit and loss, rounded."""
    amounts = {name: float(text) for name, text in pnl.items()}
    return (
        f"P&L {amounts['total']:+.2f} $: realised {amounts['realised']:+.2f}, unrealised {amounts['unrealised']:+.2f}, "
        f"funding {amounts['funding']:+.2f}, {fees_words(amounts['fees'])}"
    )


def fees_words(amount: float) -> str:
    """Return the fees so far, everywhere with the same sign: what was paid is positive, a rebate negative."""
    return f"fees paid {amount:.2f} $"


def percent(ratio: float) -> str:
    """Return a ratio in percent, cut and not rounded up: 100 % is said only of all."""
    return f"{int(ratio * 1000) / 10:.1f}%"


def latency_words(tick_to_order: dict[str, Any] | None, *, is_over: bool = False) -> str:
    """Return the latency of orders; a quantile is left out while too few samples stand behind it."""
    if not tick_to_order or not tick_to_order["n"]:
        return f"tick to order: nothing measured{'' if is_over else ' yet'}"
    words = f"tick to order p50 {tick_to_order['p50']:.0f} µs"
    for name, label, samples in (("p99", "p99", QUANTILE_SAMPLES_MIN), ("p999", "p99.9", 10 * QUANTILE_SAMPLES_MIN)):
        if name in tick_to_order and tick_to_order["n"] >= samples:
            words += f", {label} {tick_to_order[name]:.0f} µs"
    return f"{words} (n = {tick_to_order['n']})"


def hedge_words(underlying: str, hedge: Mapping[str, Any]) -> str:
    """Return the net delta of an underlying, its band, and what the hedge is at."""
    if "band" not in hedge:
        return f"{underlying}: hedge {hedge['state']}"
    net = "not known" if hedge["net_delta"] is None else f"{hedge['net_delta']:+g}"
    return (
        f"{underlying}: net delta {net}, band {hedge['target']:g} ± {hedge['band']:g}, hedge in {hedge['instrument']} "
        f"{hedge['state'].replace('_', ' ')}, {hedge['hedges']} so far"
    )


def recorder_words(status: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the recorder; empty = nothing, or nothing is recorded at all."""
    recorder = status["recorder"]
    if recorder is None:
        return []
    if recorder["trouble"]:
        return [f"recorder: nothing is recorded: {recorder['trouble']}"]
    return [f"recorder: {recorder['lost']} records lost"] if recorder["lost"] else []


def status_block(status: dict[str, Any]) -> RenderableType:
    """Return the live block for a terminal of 80 columns or more."""
    head = Text(f"{status['session']} · {status['seconds']:.0f} s · {risk_words(status)}", style="bold")
    money = Text(f"{money_words(status)} · {_fees(status)}", style="bold")
    quoted = Text(quoted_words(status))
    latency = Text(latency_words(status["latency_us"].get("tick_to_order")), style="dim")
    parts: list[RenderableType] = [head, money, quoted, _quotes(status), _terms(status), _actors(status), latency]
    parts += [Text(words, style="yellow") for words in doing_words(status)]
    parts += [Text(hedge_words(underlying, hedge), style="dim") for underlying, hedge in status["hedges"].items()]
    parts += [Text(words, style="bold red") for words in recorder_words(status)]
    for name, found in status["instruments"].items():
        if "position" in found and not (found["bids"] and found["asks"]):
            parts.insert(4, Text(f"{name} {sides_words(found)}", style="yellow"))
        if "instrument_off" in found:
            parts.insert(1, Text(f"{name} off: {found['instrument_off']}", style="bold red"))
    return Group(*parts)


def summary_lines(summary: Mapping[str, Any], run: Path) -> list[str]:
    """Return what a run was, in a few lines for people."""
    orders, pnl = summary["orders"], summary["pnl"]
    lines = [
        f"{summary['seconds']:.1f} s, {summary['ticks']} ticks, {summary['wishes']} wishes, "
        f"{orders.get('inserted', 0)} inserts, {orders.get('amended', 0)} amends, {summary['fills'] or 0} fills",
        f"{quoted_words(summary)}; open orders at exit: {summary['open_orders_at_exit']}",
    ]
    if pnl:
        positions = ", ".join(f"{name} {size}" for name, size in summary["position"].items())
        lines.append(
            f"P&L {float(pnl['total']):+.2f} $ net, {fees_words(float(summary['fees']))}; position {positions}"
        )
    lines.append(latency_words(summary["latency_us"]["tick_to_order"], is_over=True))
    if any(summary["restarts"].values()):
        lines.append("restarts: " + ", ".join(f"{name} {n}" for name, n in summary["restarts"].items() if n))
    return [*lines, f"summary: {run / 'summary.json'}"]


def status_lines(status: Mapping[str, Any]) -> list[str]:
    """Return the whole status in plain lines, as `cli.py status` prints it; it adds what execution says of itself."""
    lines = [f"{status['session']}: {status['seconds']:.0f} s, {risk_words(status)}, {money_words(status)}"]
    lines += [quoted_words(status), latency_words(status["latency_us"].get("tick_to_order"))]
    for name, found in status["instruments"].items():
        if "position" not in found:
            lines.append(f"{name}: {found.get('state', 'no data yet')}")
            continue
        lines.append(f"{name}: position {found['position']:g}, {found['fills']} fills")
        if "pnl" in found:
            lines.append(f"  {pnl_words(found['pnl'])}")
        if "instrument_off" in found:
            lines.append(f"  off: {found['instrument_off']}")
        for side in ("bid", "ask"):
            levels = ", ".join(f"{size:g} at {price:.8g}" for price, size in found[f"{side}s"])
            lines.append(f"  {side}s: {levels or off_words(found, side)}")
        if "fair_price" in found:
            lines.append(
                f"  fair {found['fair_price']:.8g}, σ {found['sigma']:.2f} $/√s, half-spread "
                f"{found['half_spread']:.2f} $, skew {found['skew']:+.2f} $"
            )
    lines += [hedge_words(underlying, hedge) for underlying, hedge in status["hedges"].items()]
    lines += recorder_words(status)
    if said := status.get("execution"):
        lines.append(f"execution: {said}")
    for name, actor in status["actors"].items():
        standby = f", standby {actor['standby']}" if actor["standby"] else ""
        doing = f", {actor['doing']}" if actor["doing"] else ""
        lines.append(f"{name}: {actor['state']}, pid {actor['pid']}, restarts {actor['restarts']}{standby}{doing}")
    return lines


def _fees(status: dict[str, Any]) -> str:
    risk = status["risk"]
    if "fees" not in risk:
        return "fees not known yet"
    return f"{fees_words(risk['fees'])} · drawdown {risk['drawdown']:.2f} $ · gross {risk['gross_notional']:,.0f} $"


def _quotes(status: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 1))
    for column in ("instrument", "our bid", "market bid", "market ask", "our ask", "position", "fills"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, found in status["instruments"].items():
        if "position" not in found:
            table.add_row(name, "", str(found.get("state", "")), "", "", "", "")
            continue
        market = [f"{found[f'market_{side}']:.8g}" if f"market_{side}" in found else "-" for side in ("bid", "ask")]
        table.add_row(
            name, _best(found, "bid"), *market, _best(found, "ask"), f"{found['position']:g}", str(found["fills"])
        )
    return table


def _terms(status: dict[str, Any]) -> Table:
    """Return what the newest quote of each instrument was made of."""
    table = Table.grid(padding=(0, 2))
    for name, found in status["instruments"].items():
        if "fair_price" in found:
            table.add_row(
                Text(
                    f"{name}: fair {found['fair_price']:.8g} · σ {found['sigma']:.2f} $/√s · "
                    f"half-spread {found['half_spread']:.2f} $ · skew {found['skew']:+.2f} $",
                    style="dim",
                )
            )
    return table


def _actors(status: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    cells = []
    for name, actor in status["actors"].items():
        colour = {"live": "green", "starting": "yellow"}.get(actor["state"], "red")
        restarts = f" (restarts {actor['restarts']})" if actor["restarts"] else ""
        cells.append(Text(f"{name} {actor['state']}{restarts}", style=colour))
    table.add_row(*cells)
    return table


def sides_words(found: Mapping[str, Any]) -> str:
    """Return our best price of each side, or why there is none."""
    off = {side: off_words(found, side) for side in ("bid", "ask") if not found[f"{side}s"]}
    if len(off) == 2 and off["bid"] == off["ask"]:
        return f"bid and ask {off['bid']}"
    return ", ".join(f"{side} {off.get(side) or _best(found, side)}" for side in ("bid", "ask"))


def off_words(found: Mapping[str, Any], side: str) -> str:
    """Return why a side has no order at the venue, in words."""
    reason = found.get(f"{side}_off")
    if reason is None:
        return "off (no wish yet)"
    if reason == "quoted":
        return "on its way"
    why = f": {found['why_risk']}" if reason == "risk" and "why_risk" in found else ""
    return f"off ({OFF_WORDS[reason]}{why})"


def _best(found: Mapping[str, Any], side: str) -> str:
    """Return our best price of a side; `off` without one."""
    levels = found[f"{side}s"]
    return f"{levels[0][0]:.8g}" if levels else "off"
