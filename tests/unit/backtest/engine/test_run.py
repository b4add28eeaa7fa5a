"""A strategy in the engine: the books balance, nothing depends on how it is run, limits hold."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backtest.data.container import EventFile, EventWriter
from backtest.data.events import KIND_MASK, TRADE
from backtest.engine.result import RunResult
from backtest.engine.run import Settings, backtest
from backtest.synthetic import write_session
from domain.codes import OrderEventKind
from domain.errors import ConfigError
from tests.backtest_run import MARKET, MS, QUOTING, ran, settings, written
from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Twenty seconds, a decision every 100 ms, 5 ms each way."""
    return ran(tmp_path_factory.mktemp("run"), settings())


def of_kind(result: RunResult, kind: OrderEventKind) -> np.ndarray:
    return result.answers[result.answers["kind"] == kind]


def test_it_quotes_and_is_filled(result: RunResult) -> None:
    run, venue = result.run[0], result.venue[0]
    assert run["decisions"] == pytest.approx(200, abs=3)
    assert run["inserts"] >= 4
    assert run["amends"] > 50
    assert venue["fills"] > 10
    assert run["denied"] < 40  # at the position limit: wanted at once with what makes room for it
    assert run["unsent"] == 0


def test_position_cash_and_fees_are_the_sums_of_the_fills(result: RunResult) -> None:
    fills, venue = of_kind(result, OrderEventKind.FILLED), result.venue[0]
    signed = fills["side"] * fills["size_lots"]
    assert signed.sum() == venue["position_lots"]
    assert np.array_equal(np.cumsum(signed), fills["position_lots"])
    assert -(signed * fills["price_ticks"]).sum() == venue["cash"]
    assert fills["fee"].sum() == venue["fees"]
    assert fills["size_lots"].sum() == venue["volume_lots"]


def test_every_request_is_answered_after_both_ways(result: RunResult) -> None:
    run, venue = result.run[0], result.venue[0]
    inserts = of_kind(result, OrderEventKind.ACCEPTED)
    assert run["inserts"] - len(inserts) <= 4  # on the way as the data ended
    assert not len(of_kind(result, OrderEventKind.REJECTED)) or venue["fills"] > 0  # filled while the amend came
    assert np.all(result.answers["local_time_ns"] - result.answers["exchange_time_ns"] == 5 * MS)
    assert np.all(np.diff(result.answers["exchange_time_ns"]) >= 0)


def test_all_quotes_are_post_only_so_that_nothing_takes(result: RunResult) -> None:
    assert result.venue["taken_lots"][0] == 0
    assert set(of_kind(result, OrderEventKind.FILLED)["liquidity_side"].tolist()) == {1}


@pytest.mark.parametrize("latency_ms", [5, 400])
def test_the_gate_holds_the_position_within_its_limit_whatever_is_on_the_way(tmp_path: Path, latency_ms: int) -> None:
    limit_lots = 25
    given = replace(settings(latency_ms=latency_ms), position_max_base=limit_lots * MARKET.lot_size)
    result = ran(tmp_path, given)
    assert result.venue["fills"][0] > 5
    assert np.abs(result.answers["position_lots"]).max() <= limit_lots
    assert np.abs(result.answers["position_lots"]).max() > 15


@pytest.mark.parametrize(
    ("seed", "latency_ms", "hard_lots", "risk_lots", "limit_lots"),
    [
        (2, 100, 50, None, 50),  # a cancel on its way is an order that still fills
        (1, 100, 200, 31, 31),  # and so is the size from which an amend takes away
    ],
)
def test_no_limit_is_passed_by_orders_that_are_on_their_way_out(
    tmp_path: Path, seed: int, latency_ms: int, hard_lots: int, risk_lots: int | None, limit_lots: int
) -> None:
    given = settings(latency_ms=latency_ms)
    hard_base = hard_lots * MARKET.lot_size
    given = replace(
        given,
        quoting=given.quoting.with_values({"position_soft_base": 0.6 * hard_base, "position_hard_base": hard_base}),
        position_max_base=math.inf if risk_lots is None else risk_lots * MARKET.lot_size,
    )
    result = ran(tmp_path, given, replace(MARKET, seed=seed, sigma=0.3, rate=4.0), 60.0)
    assert np.abs(result.answers["position_lots"]).max() <= limit_lots
    assert np.abs(result.answers["position_lots"]).max() >= 0.8 * limit_lots


def test_worth_is_cash_and_position_at_the_mid_less_fees(result: RunResult) -> None:
    last = result.series[-1]
    money = result.tick_size * result.lot_base
    expected = (last["cash"] - last["fees"] * 1e-8) * money + last["position_lots"] * result.lot_base * last["mid"]
    assert result.equity()[-1] == pytest.approx(expected)
    assert len(result.series) == pytest.approx(20, abs=1)
    assert np.all(np.diff(result.series["time_ns"]) >= 900 * MS)


def test_the_same_input_gives_the_same_answers(result: RunResult, tmp_path: Path) -> None:
    assert ran(tmp_path, settings()).fills_hash == result.fills_hash


@pytest.mark.slow  # compiles the whole engine where its sources are new
def test_compiled_and_interpreted_give_the_same_answers(result: RunResult) -> None:
    command = [sys.executable, "-m", "tests.backtest_run"]
    compiled = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert compiled == result.fills_hash


CACHE_USE = """
import os, sys
os.environ["RINGMAKER_JIT"] = "1"
from domain import jit
from pathlib import Path
from tests.backtest_run import ran, settings
ran(Path(sys.argv[1]), settings(), seconds=2.0)
kernels = {id(value): value for module in list(sys.modules.values()) for value in vars(module).values()
           if getattr(module, "__name__", "").startswith(("backtest", "trading", "fills")) and jit.is_compiled(value)}
print(sum(len(kernel.stats.cache_misses) for kernel in kernels.values()),
      sum(len(kernel.stats.cache_hits) for kernel in kernels.values()))
"""


@pytest.mark.slow  # compiles the whole engine where its sources are new
def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CACHE_USE, str(tmp_path)]
    for _ in range(2):
        told = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    misses, hits = (int(word) for word in told.split())
    assert misses == 0
    assert hits >= 3  # the loop, and what Python calls beside it


def test_a_recording_that_begins_with_a_trade_is_played_from_its_first_book_on(tmp_path: Path) -> None:
    path = tmp_path / "whole.events"
    write_session(path, MARKET, 3.0)
    rows = np.array(EventFile(path).rows)
    trade = rows[rows["flags"] & KIND_MASK == TRADE][:1].copy()
    trade["exchange_time_ns"] = trade["local_time_ns"] = rows["exchange_time_ns"].min() - 1
    begun = tmp_path / "begun.events"
    with EventWriter(begun) as writer:
        writer.write(np.concatenate([trade, rows]))
        writer.finish(EventFile(path).header)
    result = backtest(EventFile(begun), settings())
    assert result.run["decisions"][0] == pytest.approx(30, abs=2)
    assert len(result.series) == 4  # at the first book, and every second


def test_the_size_of_blocks_and_buffers_makes_no_difference(
    result: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backtest.engine.tape.ROWS_AT_ONCE", 137)
    monkeypatch.setattr("backtest.engine.run.ANSWERS_AT_ONCE", 16)
    monkeypatch.setattr("backtest.engine.run.SAMPLES_AT_ONCE", 2)
    again = ran(tmp_path, settings())
    assert np.array_equal(again.answers, result.answers)
    assert np.array_equal(again.series, result.series)


def test_decisions_at_every_message_do_not_wait_for_the_next_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = replace(settings(), step_ms=0.0)
    whole = ran(tmp_path, given, seconds=3.0)
    monkeypatch.setattr("backtest.engine.tape.ROWS_AT_ONCE", 137)
    assert np.array_equal(ran(tmp_path, given, seconds=3.0).answers, whole.answers)


def test_a_decision_at_every_message_is_one_for_every_book(tmp_path: Path) -> None:
    given = replace(settings(), step_ms=0.0)
    result = ran(tmp_path, given, seconds=3.0)
    assert result.run["decisions"][0] == pytest.approx(3.0 * 1000 / MARKET.step_ms, abs=2)


def test_a_fill_is_thought_over_before_anything_is_sent_for_it(tmp_path: Path) -> None:
    # One look at the book in five seconds, many fills between: the ladder of then was for the position of then.
    steady = replace(MARKET, sigma=0.01)
    result = ran(tmp_path, settings(step_ms=5000.0, latency_ms=1), steady, 30.0)
    assert result.venue["fills"][0] > 10
    assert np.abs(result.answers["position_lots"]).max() <= round(QUOTING.position_hard_base / MARKET.lot_size)


@pytest.mark.parametrize("model", ["avellaneda_stoikov", "avellaneda_stoikov_exact", "cartea_jaimungal"])
def test_every_model_quotes(tmp_path: Path, model: str) -> None:
    given = replace(settings(), quoting=QUOTING.with_values({"model": model, "risk_aversion_per_usd": 0.01}))
    assert ran(tmp_path, given, seconds=5.0).run["inserts"][0] >= 2


def test_a_run_that_is_watched_comes_to_the_same_and_ends_where_the_watcher_says(
    tmp_path: Path, result: RunResult
) -> None:
    told: list[tuple[float, int]] = []

    def watch(part: float, series: np.ndarray) -> bool:
        told.append((round(part, 1), len(series)))
        return True

    file = written(tmp_path)
    assert backtest(file, settings(), watch).fills_hash == result.fills_hash
    assert [part for part, _ in told] == [round(0.1 * tenth, 1) for tenth in range(1, 11)]
    assert told[-1][1] == len(result.series)
    stopped = backtest(file, settings(), lambda part, series: part < 0.5)
    assert 0.4 * len(result.series) < len(stopped.series) < 0.6 * len(result.series)


PLAIN = """
from trading.quoting.standard import on_book, on_fill, on_trade, quote
"""
FAILING = """
from trading.quoting.standard import on_fill, on_trade, quote

state = {"books": 0.0}

def on_book(q):
    q["user"]["books"] += 1.0
    if q["user"]["books"] > 3.0:
        raise ValueError("enough")
"""


def with_file(path: Path, text: str, user: dict[str, float] | None = None) -> Settings:
    path.write_text(text)
    return replace(settings(), quoting=QUOTING.with_values({"file": str(path), "user": user or {}}))


def test_a_strategy_of_the_users_own_runs_as_it_runs_live(tmp_path: Path) -> None:
    example = (REPOSITORY / "docs" / "my_strategy.py").read_text()
    result = ran(tmp_path, with_file(tmp_path / "mine.py", example), seconds=10.0)
    assert result.run["inserts"][0] >= 2
    assert len(result.fills) > 0


def test_a_file_that_takes_everything_over_gives_the_fills_of_the_standard_strategy(
    result: RunResult, tmp_path: Path
) -> None:
    assert ran(tmp_path, with_file(tmp_path / "plain.py", PLAIN)).fills_hash == result.fills_hash


def test_a_users_exception_ends_the_run_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "failing.py"
    with pytest.raises(ConfigError, match=f"{path}:9: on_book: ValueError: enough"):
        ran(tmp_path, with_file(path, FAILING), seconds=1.0)
