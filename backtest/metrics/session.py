"""The legs of a live session: from its audit trail and its recordings; from the journal alone where it has none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from backtest.book import NO_ASK, NO_BID
from backtest.data.container import EventFile
from backtest.data.convert import Options, convert
from backtest.data.findings import DataError, Repair
from backtest.engine.result import FILLS, orders_of
from backtest.live import by_exchange_time, live_answers
from backtest.metrics.facts import Facts, Latency, facts_of
from backtest.metrics.journal_fills import journal_fills
from backtest.metrics.leg import FEE_UNIT, Leg, closing_row, grid_of, mid2_ticks, with_markouts
from backtest.metrics.market import TOUCH, touch_at
from backtest.metrics.own_series import own_series
from backtest.scratch import scratch_folder
from domain.clock import NS_PER_S
from domain.codes import OrderEventKind
from domain.errors import ExitCode, UserError
from runtime.paths import CONFIG_FILE, SUMMARY_FILE
from runtime.recordings import files
from runtime.recordings.audit import open_audit

_QUOTE_COLUMNS = ("fair_price_usd", "reservation_price_usd", "half_spread_usd", "sigma_usd_per_sqrt_s")
_SERIES_NAMES = ("fair_price", "reservation_price", "half_spread", "sigma")
_STOP = "SELECT max(received_ns) AS stop_ns FROM commands WHERE process = 'execution' AND command = 'stop'"
_REPAIRS = frozenset(Repair) - {Repair.LINES}  # a session is shown as far as it goes; every repair is told


class Session(NamedTuple):
    """A live session, ready to be written."""

    legs: list[Leg]
    facts: Facts


def read_session(run: Path) -> Session:
    """Return the legs and facts of a live session.

    Raises:
        UserError: when the folder holds neither an audit trail nor a journal, or nothing was traded or recorded.
    """
    summary = _summary(run)
    legs, notes = _recorded_legs(run, summary) if _is_recorded(run) else _journalled_legs(run)
    if not legs:
        raise DataError(f"{run}: nothing to report: {'; '.join(notes)}")
    counts = {name: n for name, n in summary.get("orders", {}).items() if isinstance(n, int)}
    facts = facts_of(
        legs, kind="live", data=[f"session {summary.get('session', run.name)}"], config=summary.get("venue", ""),
        notes=notes, counts=counts, latency_us=_latencies(summary),
    )  # fmt: skip
    return Session(legs, facts)


def _is_recorded(run: Path) -> bool:
    return (run / "audit.sqlite").exists() and (run / files.FOLDER).is_dir()


def _summary(run: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode((run / SUMMARY_FILE).read_bytes())
    except (OSError, msgspec.DecodeError):
        return {}  # killed before it was written
    return found


def _latencies(summary: dict[str, Any]) -> dict[str, Latency]:
    stages = summary.get("latency_us", {})
    return {
        name: Latency(p50=found["p50"], p99=found["p99"], p999=found["p999"], n=found["n"])
        for name, found in stages.items()
        if found.get("n")
    }


def _recorded_legs(run: Path, summary: dict[str, Any]) -> tuple[list[Leg], list[str]]:
    with open_audit(run) as audit:
        names = [row["instrument"] for row in audit.execute("SELECT instrument FROM instruments ORDER BY instrument")]
        stop_ns = audit.execute(_STOP).fetchone()["stop_ns"]
    notes = ["the recorded book holds our own orders"]
    without_orders, left_out, legs = [], [], []
    with scratch_folder("report") as folder:
        for number, name in enumerate(names):
            answers = by_exchange_time(live_answers(run, name))
            if len(answers) == 0:
                without_orders.append(name)
                continue
            output = folder / f"{number}.events"
            try:
                convert([run], output, Options(instrument=name, repairs=_REPAIRS))
            except UserError as error:
                left_out.append(f"{name} is left out: {error}")
                continue
            file = EventFile(output)
            repairs = ", ".join(f"{repair} ({count:,})" for repair, count in file.header.repairs.items() if count)
            notes += [f"{name}: the recording was repaired: {repairs}"] if repairs else []
            pnl = summary.get("pnl_by_instrument", {}).get(name, {})
            quotes = _quotes(run, name)
            leg = leg_of_session(file, answers, name, Decimal(pnl.get("funding", "0")), quotes)
            wish_ns = int(quotes.times_ns[0]) if len(quotes.times_ns) else None
            legs.append(with_quoting(leg, answers, wish_ns, stop_ns))
    if not legs:
        return [], [*_why_no_legs(run, without_orders, summary), *left_out]
    return legs, [*notes, *left_out]


def _why_no_legs(run: Path, without_orders: list[str], summary: dict[str, Any]) -> list[str]:
    """Return why a recorded session has nothing of ours to show."""
    if not without_orders:
        return []
    if _is_market_data_only(run):
        return [f"`./cli.py record` made it, without orders; `./cli.py backtest {run}` plays a strategy over it"]
    halted = ", risk had halted it" if summary.get("exit_code") == ExitCode.RISK_HALT else ""
    return [f"{', '.join(without_orders)} was recorded, but the exchange told of no order of ours{halted}"]


def _is_market_data_only(run: Path) -> bool:
    try:
        return bool(msgspec.json.decode((run / CONFIG_FILE).read_bytes(), type=dict).get("is_market_data_only"))
    except (OSError, msgspec.MsgspecError):
        return False


def with_quoting(leg: Leg, answers: npt.NDArray[np.void], wish_ns: int | None, stop_ns: int | None) -> Leg:
    """Return a leg with the time in which it was to quote.

    Args:
        wish_ns, stop_ns: the first wish, and when the session was asked to stop, by our clock; None = not known.
    """
    ahead_ns = int(np.median(answers["exchange_time_ns"] - answers["local_time_ns"]))  # the exchange's clock of ours
    begin_ns, end_ns = (
        default if local_ns is None else min(max(local_ns + ahead_ns, leg.begin_ns), leg.end_ns)
        for local_ns, default in ((wish_ns, leg.begin_ns), (stop_ns, leg.end_ns))
    )
    return replace(leg, quoting_begin_ns=begin_ns, quoting_end_ns=max(begin_ns, end_ns))


class Quotes(NamedTuple):
    """What our quotes were made of: Unix ns, and a row of fair price, reservation price, half-spread, σ for each."""

    times_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


NO_QUOTES = Quotes(np.zeros(0, np.int64), np.zeros((0, len(_QUOTE_COLUMNS))))


def _quotes(run: Path, instrument: str) -> Quotes:
    try:
        table = files.table(run, "explanations", ["instrument", "computed_realtime_ns", *_QUOTE_COLUMNS])
    except files.NotRecordedError:
        return NO_QUOTES
    is_its = np.array([name == instrument for name in table["instrument"].to_pylist()], bool)
    times = table["computed_realtime_ns"].to_numpy()[is_its]
    values = np.column_stack([table[name].to_numpy()[is_its] for name in _QUOTE_COLUMNS])
    order = np.argsort(times, kind="stable")
    return Quotes(times[order], np.nan_to_num(values[order]))


def leg_of_session(
    file: EventFile, answers: npt.NDArray[np.void], instrument: str, funding: Decimal, quotes: Quotes
) -> Leg:
    """Return an instrument's part of a live session.

    Args:
        file: the recorded market; without rows where none was recorded.
        answers: what the exchange told, ANSWER rows.
        funding: received over the session, quote currency.
    """
    answers = answers[np.argsort(answers["exchange_time_ns"], kind="stable")]
    told = answers[answers["kind"] == OrderEventKind.FILLED]
    fills = np.zeros(len(told), FILLS)
    for name in FILLS.names or ():
        fills[name] = told[{"time_ns": "exchange_time_ns", "rule": "reason"}.get(name, name)]
    begin_lots = int(told["position_lots"][0] - told["side"][0] * told["size_lots"][0]) if len(told) else 0
    # Fills of one moment may be told with the position after all of them.
    fills["position_lots"] = begin_lots + np.cumsum(told["side"] * told["size_lots"])
    grid = grid_of(file)
    lines, bounds = with_markouts(file, fills)
    begin_ns, end_ns = bounds.begin_ns, bounds.end_ns
    if len(file.rows) == 0:
        begin_ns, end_ns = int(answers["exchange_time_ns"][0]), int(answers["exchange_time_ns"][-1])
        bounds = replace(bounds, last_touch=(int(fills["price_ticks"][-1]),) * 2 if len(fills) else (0, 0))
    times_ns = np.append(np.arange(begin_ns, end_ns, NS_PER_S), end_ns)
    series = own_series(answers, times_ns)
    series["position_lots"] += begin_lots
    touch = touch_at(file, times_ns) if len(file.rows) else _at_fills(fills, times_ns)
    _add_market(series, touch, file.header.tick_size)
    _add_quotes(series, quotes)
    fee = -round(funding / grid.money / FEE_UNIT)
    return Leg(
        instrument=instrument,
        grid=grid,
        fills=lines,
        orders=orders_of(answers[(answers["order_id"] != 0) & (answers["side"] != 0)]),
        series=np.concatenate([series, closing_row(series, fills, fee, bounds)]),
        begin_ns=begin_ns,
        end_ns=end_ns,
        quoting_begin_ns=begin_ns,
        quoting_end_ns=end_ns,
        begin_position_lots=begin_lots,
        begin_mid2_ticks=bounds.begin_mid2_ticks,
        end_mid2_ticks=bounds.end_mid2_ticks,
        fees=int(fills["fee"].sum()) * FEE_UNIT * grid.money,
        funding=funding,
    )


def _add_market(series: npt.NDArray[np.void], touch: npt.NDArray[np.void], tick_size: float) -> None:
    """Write the market's best prices, TOUCH rows; where they are not known those of the moment before stay."""
    known = mid2_ticks(touch) > 0
    last = np.maximum.accumulate(np.where(known, np.arange(len(series)), -1))
    for name in ("bid", "ask"):
        series[f"market_{name}_ticks"] = np.where(last >= 0, touch[f"{name}_ticks"][last], 0)
    series["mid"] = 0.5 * tick_size * (series["market_bid_ticks"] + series["market_ask_ticks"])
    series["mark"] = series["mid"]


def _at_fills(fills: npt.NDArray[np.void], times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.void]:
    """Return the price of the last fill at each time as the market, where there is no other: TOUCH rows."""
    touch = np.zeros(len(times_ns), TOUCH)
    touch["bid_ticks"], touch["ask_ticks"] = NO_BID, NO_ASK
    places = np.searchsorted(fills["time_ns"], times_ns, side="right") - 1
    for name in TOUCH.names or ():
        touch[name] = np.where(places >= 0, fills["price_ticks"][np.maximum(places, 0)], touch[name])
    return touch


def _add_quotes(series: npt.NDArray[np.void], quotes: Quotes) -> None:
    places = np.searchsorted(quotes.times_ns, series["time_ns"], side="right") - 1
    for column, name in enumerate(_SERIES_NAMES):
        if len(quotes.times_ns):
            series[name] = np.where(places >= 0, quotes.values[places, column], 0.0)


def _journalled_legs(run: Path) -> tuple[list[Leg], list[str]]:
    """Return the legs that the journal tells of: fills and fees, no market."""
    with scratch_folder("report") as folder:
        told = journal_fills(run, folder)
        legs = [leg_of_session(file, fills, name, Decimal(0), NO_QUOTES) for name, (file, fills) in told.items()]
    if not legs:
        return [], ["the market was not recorded, and the journal tells of no fill"]
    return legs, ["no recording: positions are valued at the last fill's price, and there are no markouts"]
