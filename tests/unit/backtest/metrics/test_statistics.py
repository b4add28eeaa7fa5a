"""Statistics against figures worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from backtest.metrics.definitions import DEFINITIONS
from backtest.metrics.leg import UNKNOWN_MID
from backtest.metrics.ratios import drawdown, return_interval_s, sharpe, sortino
from backtest.metrics.round_trips import round_trips_usd
from backtest.metrics.split import Split, split_of
from backtest.metrics.statistics import equity_over, statistics
from tests.leg_case import MONEY, Fill, S, leg

FEE = 10**8  # one point


def test_a_fill_is_split_into_what_it_was_better_than_the_mid_and_what_the_market_did_then() -> None:
    # Given 10 lots bought at 98 with the mid at 100, which is 99 five seconds later and 103 at the end
    run = leg([Fill(1, 1, 98, 10, 200, 199, 198, 201, FEE)], end_mid2=206, funding=Decimal("-0.25"))
    # I expect 2 ticks of spread, one lost to the taker, four won by waiting, a point paid in fees
    assert split_of(run) == Split(20 * MONEY, -10 * MONEY, 40 * MONEY, -MONEY, Decimal("-0.25"))


def test_a_fill_near_the_end_takes_the_last_mid_for_the_one_that_is_not_recorded() -> None:
    run = leg([Fill(59, -1, 101, 10, 200, UNKNOWN_MID, UNKNOWN_MID, UNKNOWN_MID)], end_mid2=204)
    assert split_of(run)[:3] == (10 * MONEY, -20 * MONEY, 0)


def test_what_was_held_before_the_run_belongs_to_inventory() -> None:
    run = leg([], begin_lots=-7, begin_mid2=200, end_mid2=198)
    assert split_of(run) == Split(Decimal(0), Decimal(0), 7 * MONEY, Decimal(0), Decimal(0))


def test_markouts_are_in_bps_of_what_was_traded_and_leave_out_fills_without_a_market_after() -> None:
    run = leg([Fill(1, 1, 100, 30, 200, 202, 198, UNKNOWN_MID), Fill(2, -1, 100, 10, 200, 200, 198, UNKNOWN_MID)])
    told = statistics([run])
    # After 1 s: 30 lots won one tick, 10 nothing, of 4,000 points; after 5 s -30 and +10
    assert told.values["markout_1s"] == pytest.approx(30 / 4000 * 1e4)
    assert told.values["markout_5s"] == pytest.approx(-20 / 4000 * 1e4)
    assert told.values["markout_30s"] is None
    assert told.why_null["markout_30s"] == "no fill is followed by 30 s of market"


def test_a_fill_that_turns_the_position_round_ends_one_trip_and_begins_the_next() -> None:
    # Given 10 bought at 100, 25 sold at 102 for 25 points of fees, 15 bought back at 103
    fills = [
        Fill(1, 1, 100, 10, 200, 200, 200, 200),
        Fill(2, -1, 102, 25, 200, 200, 200, 200, 25 * FEE),
        Fill(3, 1, 103, 15, 200, 200, 200, 200),
    ]
    # I expect +20 less 10 points of the fee, and -15 less the other 15
    assert round_trips_usd(leg(fills)) == pytest.approx([10 * float(MONEY), -30 * float(MONEY)])
    told = statistics([leg(fills)]).values
    assert (told["round_trips"], told["win_rate"]) == (2, 0.5)


def test_sharpe_and_sortino_are_of_the_changes_and_for_a_year() -> None:
    equity = np.cumsum([0.0, 3.0, -1.0, 3.0, -1.0])
    year = math.sqrt(365 * 86_400 / 10)
    assert sharpe(equity.repeat(10)[:-9], 10) == pytest.approx(1.0 / np.std([3, -1, 3, -1], ddof=1) * year)
    assert sortino(equity.repeat(10)[:-9], 10) == pytest.approx(1.0 / math.sqrt(0.5) * year)


@pytest.mark.parametrize(
    ("seconds", "interval_s"), [(29, None), (30, 1), (299, 1), (300, 10), (1800, 60), (30 * 86_400, 86_400)]
)
def test_changes_are_taken_over_the_longest_interval_that_the_run_holds_thirty_of(
    seconds: int, interval_s: int | None
) -> None:
    assert return_interval_s(seconds) == interval_s


def test_a_drawdown_counts_from_the_highest_equity_and_from_nothing_at_first() -> None:
    fall = drawdown(np.array([-1.0, 2.0, 5.0, 1.0, 4.0, 5.0, 6.0]))
    assert fall.usd == 4.0
    assert fall.below_peak_s == 2
    assert drawdown(np.array([-3.0, -2.0])).usd == 3.0


def test_a_run_without_a_fill_says_what_it_cannot_tell_and_why() -> None:
    told = statistics([leg([], seconds=5)])
    assert list(told.values) == list(DEFINITIONS)
    assert told.values["net_pnl"] == 0.0
    assert told.why_null["sharpe"] == "the run is shorter than 30 s (5 s)"
    assert told.why_null["win_rate"] == "no round trip was finished"
    assert told.why_null["fill_ratio"] == "no order"


def test_two_instruments_add_their_profits_and_keep_their_positions_apart() -> None:
    one = leg([Fill(1, 1, 98, 10, 200, 200, 200, 200)])
    other = leg([Fill(1, -1, 103, 5, 200, 200, 200, 200)], instrument="ETH-PERPETUAL")
    told = statistics([one, other])
    assert told.values["net_pnl"] == pytest.approx(35 * float(MONEY))
    assert told.split["spread"] == "0.0175"
    assert told.values["position_end"] is None
    assert told.values["fills"] == 2


def test_equity_of_two_instruments_is_added_moment_by_moment() -> None:
    # Given one that makes 20 points at once, and one that begins 30 s later and loses 5 points two seconds on
    one = leg([Fill(0, 1, 98, 10, 200, 200, 200, 200)], seconds=40)
    late = leg([Fill(2, -1, 99, 5, 200, 200, 200, 200)], seconds=20)
    late.series["time_ns"] += 30 * S
    times_ns, equity = equity_over([one, late])
    points = dict(zip((times_ns // S).tolist(), (equity / float(MONEY)).round(6).tolist(), strict=True))
    assert (points[0], points[29], points[31], points[32], points[50]) == (20.0, 20.0, 20.0, 15.0, 15.0)


def test_the_page_on_backtests_tells_every_formula() -> None:
    page = Path("docs/backtest.md").read_text(encoding="utf-8")
    for name, defined in DEFINITIONS.items():
        assert f"| `{name}` | {defined.unit} | {defined.formula} | {defined.source} |" in page, name


def test_only_the_time_from_the_first_wish_until_the_stop_is_quoting_time() -> None:
    # Given a run of 20 s whose first wish came after 2, that was asked to stop after 17, quoted all the time between
    run = leg([], seconds=20)
    quoted = (run.series["time_ns"] >= 2 * S) & (run.series["time_ns"] <= 17 * S)
    for side, ticks in (("bid", 99), ("ask", 101)):
        run.series[f"own_{side}_ticks"] = np.where(quoted, ticks, 0)
        run.series[f"{side}_quoted_ns"] = np.clip(run.series["time_ns"] - 2 * S, 0, 15 * S)
    told = statistics([replace(run, quoting_begin_ns=2 * S, quoting_end_ns=17 * S)]).values
    # I expect all of the time, by the second as well as by the clock
    assert (told["quoted_time_bid"], told["quoted_time_ask"], told["quoted_time_both"]) == (1.0, 1.0, 1.0)


def test_the_row_that_closes_the_books_is_no_sample() -> None:
    run = leg([], seconds=4)
    run.series["own_bid_ticks"][:-1], run.series["own_ask_ticks"][:-1] = 99, 101
    assert statistics([run]).values["quoted_time_both"] == 1.0
