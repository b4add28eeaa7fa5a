"""What the session is doing now: read from shared memory, as data for the CLI and as a block for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from domain.clock import NS_PER_S
from domain.codes import OffReason, RiskReason
from domain.order import TradingState
from domain.records import ACCOUNT, BOOK, INSTRUMENT, RISK, WISH
from runtime.session import SessionSegments
from runtime.supervision.children import Child
from runtime.supervision.summary import load_row, quoted_ratios, read_counters, read_latencies
from shm.record import TableReader


class StatusReader:
    """Reads the session's tables for people."""

    def __init__(
        self, session: str, segments: SessionSegments, instrument_names: Sequence[str], children: Sequence[Child]
    ) -> None:
        self._session = session
        self._segments = segments
        self._names = tuple(instrument_names)
        self._children = children
        self._tables = {
            name: TableReader(segments[name]) for name in ("instruments", "book_table", "accounts", "wishes", "risk")
        }

    def read(self, elapsed_ns: int) -> dict[str, Any]:
        """Return the whole status as JSON-able data."""
        ratio, _raw = quoted_ratios(self._segments, len(self._names))
        return {
            "session": self._session,
            "seconds": round(elapsed_ns / NS_PER_S, 1),
            "actors": {
                child.spec.name: {"state": child.state.value, "pid": child.pid, "restarts": child.restarts}
                for child in self._children
            },
            "instruments": {name: self._instrument(row) for row, name in enumerate(self._names)},
            "risk": self._risk(),
            "quoted_time_ratio": ratio,
            "counters": read_counters(self._segments),
            "latency_us": {
                stage: {"p50": found.p50_ns / 1000, "p99": found.p99_ns / 1000, "n": found.samples}
                for stage, found in read_latencies(self._segments).items()
                if found.samples
            },
        }

    def has_working_orders(self) -> bool:
        """True when the venue has confirmed an order of ours that is still open."""
        accounts = self._tables["accounts"]
        for row in range(len(self._names)):
            if load_row(accounts, row) and (
                accounts.ints[ACCOUNT.word("bid_count")] or accounts.ints[ACCOUNT.word("ask_count")]
            ):
                return True
        return False

    def held_back(self) -> str:
        """Return what only an operator ends, and how; empty when nothing holds the session back."""
        return held_back(self._session, self._risk())

    def _instrument(self, row: int) -> dict[str, Any]:
        status: dict[str, Any] = {}
        instruments, books = self._tables["instruments"], self._tables["book_table"]
        accounts, wishes = self._tables["accounts"], self._tables["wishes"]
        if not load_row(instruments, row):
            return {"state": "unknown to the venue so far"}
        tick = instruments.floats[INSTRUMENT.word("tick_size")]
        lot = instruments.floats[INSTRUMENT.word("lot_size")]
        if load_row(books, row):
            status["best_bid"] = books.floats[BOOK.word("bid_price")]
            status["best_ask"] = books.floats[BOOK.word("ask_price")]
        if load_row(accounts, row):
            ints = accounts.ints
            status["position"] = round(ints[ACCOUNT.word("position_lots")] * lot, 8)
            status["fills"] = ints[ACCOUNT.word("fill_count")]
            status["bids"] = _ladder(ints, "bid", tick, lot)
            status["asks"] = _ladder(ints, "ask", tick, lot)
        if load_row(wishes, row):
            status["bid_off"] = OffReason(wishes.ints[WISH.word("bid_off_reason")]).name.lower()
            status["ask_off"] = OffReason(wishes.ints[WISH.word("ask_off_reason")]).name.lower()
        return status

    def _risk(self) -> dict[str, Any]:
        table = self._tables["risk"]
        if not load_row(table, 0):
            return {"state": "not heard of yet"}
        ints, floats = table.ints, table.floats
        return {
            "state": TradingState(ints[RISK.word("state")]).name.lower(),
            "reason": RiskReason(ints[RISK.word("reason")]).name.lower(),
            "kill_latched": bool(ints[RISK.word("is_kill_latched")]),
            "equity": round(floats[RISK.word("equity")], 4),
            "fees": round(floats[RISK.word("fees")], 6),
            "open_orders": ints[RISK.word("open_orders")],
        }


class SessionConsole(Console):
    """A console whose reader may go away (`make run | head -1`): the session goes on without a word."""

    def on_broken_pipe(self) -> None:
        self.quiet = True  # rich would end the process, and leave our orders to themselves


class StatusScreen:
    """One live block on a terminal, a plain line now and then elsewhere."""

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
            with suppress(OSError):
                self._live.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            with suppress(OSError):
                self._live.stop()

    def show_if_due(self, now_ns: int, read: Callable[[], dict[str, Any]]) -> None:
        """Show the status when it is time to; `read` gives it."""
        if now_ns < self._due_ns:
            return
        is_first = self._due_ns == 0
        self._due_ns = now_ns + self._interval_ns
        with suppress(OSError):  # the terminal, or the pipe's reader, may be gone: the session goes on
            if self._live is not None:
                self._live.update(status_block(self._session, read()), refresh=True)
            elif not is_first:
                self._console.print(f"{self._session}: {status_line(read())}", soft_wrap=True, markup=False)


def is_kill_latched(segments: SessionSegments) -> tuple[bool, RiskReason]:
    """Return whether risk holds the session halted until an operator resumes, and why."""
    table = TableReader(segments["risk"])
    if not load_row(table, 0):
        return False, RiskReason.NONE
    return bool(table.ints[RISK.word("is_kill_latched")]), RiskReason(table.ints[RISK.word("reason")])


def held_back(session: str, risk: dict[str, Any]) -> str:
    """Return what in `risk` (of a status) only an operator ends, and how; empty = nothing."""
    is_reducing = risk["state"] == "reducing" and risk["reason"] == "operator"
    if not (risk.get("kill_latched") or is_reducing):
        return ""
    return f"{risk['state']} ({risk['reason']}) until `python cli.py resume -s {session}`"


def status_line(status: dict[str, Any]) -> str:
    """Return one plain line: for logs and pipes."""
    risk = status["risk"]
    why = f" ({risk['reason']})" if risk.get("reason", "none") != "none" else ""
    parts = [f"{status['seconds']:6.1f} s", f"risk {held_back(status['session'], risk) or risk['state'] + why}"]
    for name, found in status["instruments"].items():
        if "position" in found:
            bid = found["bids"][0][0] if found["bids"] else found.get("bid_off", "none")
            ask = found["asks"][0][0] if found["asks"] else found.get("ask_off", "none")
            parts.append(f"{name} bid {bid} ask {ask} position {found['position']:g} fills {found['fills']}")
    ratio = status["quoted_time_ratio"]
    parts.append(f"quoted {ratio['bid']:.1%}/{ratio['ask']:.1%}")
    if "equity" in status["risk"]:
        parts.append(f"P&L {status['risk']['equity']:+.2f} $")
    return " · ".join(parts)


def status_block(session: str, status: dict[str, Any]) -> RenderableType:
    """Return the live block for a terminal."""
    actors = Table.grid(padding=(0, 2))
    for name, actor in status["actors"].items():
        colour = {"live": "green", "starting": "yellow"}.get(actor["state"], "red")
        actors.add_row(name, Text(actor["state"], style=colour), f"pid {actor['pid']}", f"restarts {actor['restarts']}")
    quotes = Table(box=None, padding=(0, 1))
    for column in ("instrument", "our bid", "market", "our ask", "position", "fills"):
        quotes.add_column(column, justify="right")
    for name, found in status["instruments"].items():
        quotes.add_row(*_instrument_row(name, found))
    tick_to_order = status["latency_us"].get("tick_to_order")
    latency = (
        f"tick to order p50 {tick_to_order['p50']:.0f} µs, p99 {tick_to_order['p99']:.0f} µs"
        if tick_to_order
        else "no order yet"
    )
    head = Text(f"{session} · {status_line(status)}", style="bold", overflow="ellipsis", no_wrap=True)
    return Group(head, actors, quotes, Text(latency, style="dim"))


def _instrument_row(name: str, found: dict[str, Any]) -> list[str]:
    if "position" not in found:
        return [name, "", str(found.get("state", "")), "", "", ""]
    bid = f"{found['bids'][0][0]:g}" if found["bids"] else found.get("bid_off", "-")
    ask = f"{found['asks'][0][0]:g}" if found["asks"] else found.get("ask_off", "-")
    market = f"{found.get('best_bid', 0):g} / {found.get('best_ask', 0):g}"
    return [name, bid, market, ask, f"{found['position']:g}", str(found["fills"])]


def _ladder(ints: memoryview, side: str, tick: float, lot: float) -> list[list[float]]:
    prices, sizes = ACCOUNT.word(f"{side}_price_ticks"), ACCOUNT.word(f"{side}_size_lots")
    count = ints[ACCOUNT.word(f"{side}_count")]
    return [[round(ints[prices + i] * tick, 8), round(ints[sizes + i] * lot, 8)] for i in range(count)]
