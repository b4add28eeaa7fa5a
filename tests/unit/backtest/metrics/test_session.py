"""A live session is told in the same figures as a backtest: from what the exchange told, and the market recorded."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from actors.execution.journal_format import Charged, Entry, Filled, frame, header
from backtest.metrics.facts import read_facts
from backtest.metrics.leg import leg_of_result
from backtest.metrics.session import NO_QUOTES, leg_of_session, read_session, with_quoting
from backtest.metrics.split import net_of, split_of
from backtest.metrics.statistics import statistics
from backtest.report.command import main as report
from domain.errors import UserError
from runtime.recordings.audit import FILE_NAME, SCHEMA, SCHEMA_VERSION
from tests.backtest_run import ran, settings, written

S = 10**9


def test_what_a_backtest_tells_taken_for_a_session_comes_to_the_same(tmp_path: Path) -> None:
    result = ran(tmp_path, settings())
    file = written(tmp_path)
    backtest, session = leg_of_result(file, result), leg_of_session(file, result.answers, "X", Decimal(0), NO_QUOTES)
    assert split_of(session) == split_of(backtest)
    assert np.array_equal(session.orders, backtest.orders)
    one, other = statistics([session]).values, statistics([backtest]).values
    for name in ("fills", "turnover", "win_rate", "markout_1s", "markout_5s", "position_max_abs", "fill_ratio"):
        assert one[name] == pytest.approx(other[name]), name
    for name in ("quoted_time_bid", "quoted_time_ask", "position_mean", "quoted_spread"):
        assert one[name] == pytest.approx(other[name], abs=0.1), name  # seconds begin at another moment
    assert session.equity_usd()[-1] == pytest.approx(float(net_of(session)))


def test_the_time_of_quoting_is_told_by_the_exchanges_clock(tmp_path: Path) -> None:
    # Given a session whose own clock is an hour behind the exchange's
    result = ran(tmp_path, settings())
    answers = result.answers.copy()
    answers["local_time_ns"] = answers["exchange_time_ns"] - 3600 * S
    whole = leg_of_session(written(tmp_path), answers, "X", Decimal(0), NO_QUOTES)
    # If it wished first after 2 s, and was asked to stop 3 s before the end
    asked = with_quoting(whole, answers, whole.begin_ns - 3598 * S, whole.end_ns - 3603 * S)
    assert (asked.quoting_begin_ns - whole.begin_ns, whole.end_ns - asked.quoting_end_ns) == (2 * S, 3 * S)
    # And where nobody knows, it is all of the run
    unknown = with_quoting(whole, answers, None, None)
    assert (unknown.quoting_begin_ns, unknown.quoting_end_ns) == (whole.begin_ns, whole.end_ns)


def fill(number: int, side: str, price: str, size: str) -> Filled:
    return Filled(
        realtime_ns=number * S, monotonic_ns=0, trade_id=f"t{number}", venue_order_id="v", leg_index=0,
        client_order_id=number, is_live=False, instrument="BTC-PERPETUAL", side=side,  # type: ignore[arg-type]
        price=Decimal(price), size=Decimal(size), exchange_time_ns=number * S,
    )  # fmt: skip


def journalled(folder: Path, entries: list[Entry]) -> Path:
    frames = (frame(7, number, entry) for number, entry in enumerate(entries, 1))
    (folder / "execution.journal").write_bytes(header(7) + b"".join(frames))
    return folder


def test_a_session_that_was_not_recorded_is_told_from_its_journal(tmp_path: Path) -> None:
    # Given 0.02 bought at 100,000 for a fee of 1 $, and 0.01 of it sold at 100,050.5 for none
    fee = Charged(2 * S, 0, "t1", "v", 0, Decimal("1"), Decimal(0))
    run = journalled(tmp_path, [fill(1, "buy", "100000", "0.02"), fee, fill(40, "sell", "100050.5", "0.01")])
    # I expect the rest valued at the last price, and what needs a market left out with a reason
    told = read_session(run)
    (leg,) = told.legs
    assert net_of(leg) == Decimal("0.02") * Decimal("50.5") - 1
    assert leg.equity_usd()[-1] == pytest.approx(0.01)
    assert told.facts.statistics.values["markout_5s"] is None
    assert "no recording" in told.facts.notes[0]
    # And a report
    assert report([str(run)]) == 0
    facts = read_facts(run)
    assert facts is not None
    assert facts.kind == "live"
    assert (run / "report.html").exists()


def test_a_session_that_was_recorded_but_had_no_order_says_so(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as audit, audit:
        audit.executescript(SCHEMA)
        audit.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        audit.execute("INSERT INTO instruments VALUES ('BTC-PERPETUAL', 0.5, 0.001, 1.0)")
    (tmp_path / "recordings").mkdir()
    told = "nothing to report: BTC-PERPETUAL was recorded, but the exchange told of no order of ours"
    with pytest.raises(UserError, match=f"{told}$"):
        read_session(tmp_path)
    (tmp_path / "summary.json").write_text('{"exit_code": 4}')
    with pytest.raises(UserError, match=f"{told}, risk had halted it$"):
        read_session(tmp_path)
    (tmp_path / "config.json").write_text('{"is_market_data_only": true}')
    with pytest.raises(UserError, match=r"`\./cli\.py record` made it, without orders; `\./cli\.py backtest "):
        read_session(tmp_path)


def test_a_session_without_recording_or_fill_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the market was not recorded, and the journal tells of no fill"):
        read_session(journalled(tmp_path, []))


def test_a_folder_without_audit_or_journal_is_no_session(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not the folder of a run"):
        read_session(tmp_path)
