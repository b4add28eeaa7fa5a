"""What a run hands to reports: fills, orders and seconds, against the known session and a strategy's run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from backtest.engine.records import FillRule, Reason
from backtest.engine.result import RunResult, orders_of
from domain.codes import OrderEventKind
from tests.backtest_run import MARKET, ran, settings
from tests.engine_case import MS, T0_NS, known_session, played

FILLED, CANCELLED, REJECTED = OrderEventKind.FILLED, OrderEventKind.CANCELLED, OrderEventKind.REJECTED


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return ran(tmp_path_factory.mktemp("run"), settings())


def test_orders_tell_how_each_began_and_ended(tmp_path: Path) -> None:
    orders = orders_of(played(tmp_path, *known_session()).answers)
    told = {
        int(order["order_id"]): (
            (int(order["begin_time_ns"]) - T0_NS) // MS, (int(order["end_time_ns"]) - T0_NS) // MS,
            int(order["size_lots"]), int(order["filled_lots"]), int(order["amends"]), int(order["end_kind"]),
            int(order["end_reason"]),
        )
        for order in orders
    }  # fmt: skip
    assert told[1] == (10, 80, 8, 8, 2, FILLED, 0)
    assert told[4] == (120, 155, 25, 25, 0, FILLED, 0)
    assert told[6] == (130, 130, 6, 4, 0, CANCELLED, Reason.IMMEDIATE_OR_CANCEL)
    assert told[11] == (162, 163, 9, 0, 0, CANCELLED, Reason.CLIENT)
    assert told[99] == (152, 152, 0, 0, 0, REJECTED, Reason.UNKNOWN_ORDER)
    assert told[8][:4] == (143, 155, 1, 1)  # the second order of that id was rejected, the first went on
    assert orders["filled_lots"].sum() == 53


def test_no_answers_are_no_orders() -> None:
    assert len(orders_of(np.zeros(0, [("order_id", "<i8")]))) == 0


def test_fills_tell_rule_fee_and_the_market_around_them(result: RunResult) -> None:
    fills, venue = result.fills, result.venue[0]
    assert len(fills) == venue["fills"] > 10
    assert fills["fee"].sum() == venue["fees"]
    assert np.array_equal(np.cumsum(fills["side"] * fills["size_lots"]), fills["position_lots"])
    assert set(fills["rule"].tolist()) <= {int(rule) for rule in FillRule}
    assert np.all(fills["market_ask_ticks"] - fills["market_bid_ticks"] == MARKET.spread_ticks)


def test_seconds_count_up_to_what_the_run_came_to(result: RunResult) -> None:
    series, venue = result.series, result.venue[0]
    for name in ("fills", "volume_lots", "bid_quoted_ns", "ask_quoted_ns"):
        assert np.all(np.diff(series[name]) >= 0)
    assert series["volume_lots"][-1] == pytest.approx(venue["volume_lots"], abs=200)
    span_ns = series["time_ns"][-1] - series["time_ns"][0]
    assert 0.9 * span_ns < series["bid_quoted_ns"][-1] <= span_ns + 1000 * MS
    quoted = series["own_bid_ticks"] != 0
    assert np.all(series["own_bid_ticks"][quoted] < series["market_ask_ticks"][quoted])
    assert series["fair_price"][1:] == pytest.approx(series["mid"][1:], rel=1e-3)
    assert np.all(series["half_spread"][1:] > 0.0)


def test_parameters_are_plain_enough_for_json(result: RunResult) -> None:
    plain = msgspec.json.decode(msgspec.json.encode(result.parameters))
    assert plain["step_ms"] == 100.0
    assert plain["quoting"]["levels"] == 2
    assert plain["venue"]["queue_model"] == 1
