"""From configured limits to the words of the record, and how limits change while running."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from domain.codes import RiskReason
from domain.instrument import Instrument, InstrumentKind
from domain.order import TradingState
from domain.records import LIMITS, QUOTE_LEVELS_MAX
from trading.risk.config import RiskConfig
from trading.risk.gate import Exposure, Order, Refused, check
from trading.risk.holding import Holding, position_lots
from trading.risk.limit_changes import LOOSER, changed_limit, with_limits
from trading.risk.limits import fill_limits
from trading.risk.rooms import Rooms
from trading.risk.states import ALL_CLEAR, Verdict

ETH = Instrument("ETH-PERPETUAL", InstrumentKind.PERPETUAL, "ETHUSD", Decimal("0.1"), Decimal("0.01"), Decimal("0.01"))
CONFIG = RiskConfig(position_max_base=2.0, order_size_max_base=0.5, gross_notional_max_usd=20_000.0)
WIDE = Rooms(gross=20_000.0, net_long=20_000.0, net_short=20_000.0, margin=1e6, liquidation=1e6)


class Row:
    def __init__(self) -> None:
        self.record = np.zeros(1, LIMITS.dtype)
        data = self.record.view(np.uint8).data
        self.ints, self.floats = data.cast("q"), data.cast("d")

    def fill(self, holding: Holding, verdict: Verdict = ALL_CLEAR, rooms: Rooms = WIDE, levels: int = 3) -> Row:
        fill_limits(self.ints, self.floats, config=CONFIG, holding=holding, verdict=verdict,
                    rooms=rooms, levels=levels, now_ns=7)  # fmt: skip
        return self

    def __getitem__(self, name: str) -> float:
        return float(self.record[name][0])


def test_limits_are_told_in_lots_and_quote_currency() -> None:
    # Given a position of -0.3 ETH at a mark of 4,000
    row = Row().fill(Holding(3, ETH, Decimal("-0.3"), 4_000.0))
    # If the record is read, I expect lots of 0.01, a collar of 2 %, and what belongs to it
    expected = {
        "instrument": 3, "written_time_ns": 7, "state": TradingState.ACTIVE, "reason": 0, "is_position_known": 1,
        "position_lots": -30, "order_lots_max": 50, "position_lots_max": 200, "open_orders_max": 32,
        "order_rate_max": 100, "order_notional_max": 10_000.0, "gross_notional_room": 20_000.0, "mark_price": 4_000.0,
        "net_long_room": 20_000.0, "net_short_room": 20_000.0, "room_reason": RiskReason.NOTIONAL_LIMIT,
        "levels_max": QUOTE_LEVELS_MAX, "duplicate_window_ns": 5_000_000,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert (row["collar_low"], row["collar_high"]) == (pytest.approx(3920.0), pytest.approx(4080.0))


@pytest.mark.parametrize(
    "holding",
    [
        Holding(0, None, Decimal(0), 4_000.0),
        Holding(0, ETH, None, 4_000.0),
        Holding(0, ETH, Decimal(0), math.nan),
    ],
)
def test_what_is_unknown_closes_the_gate(holding: Holding) -> None:
    # Given an instrument, a position or a mark that is unknown
    row = Row().fill(holding)
    # If an order is checked against its limits, I expect a refusal
    held = Exposure(0.1, 0.01, is_position_known=True)
    assert isinstance(check(row, Order(1, 40_000, 1), held, 7), Refused)


@pytest.mark.parametrize(("step", "scale"), [(1, 0.8 / 3), (2, 1.6 / 3), (3, 0.8)])
def test_recovering_gives_size_and_exposure_back_step_by_step(step: int, scale: float) -> None:
    # Given three steps up to four fifths
    verdict = Verdict(TradingState.RECOVERING, RiskReason.NONE, "", step)
    row = Row().fill(Holding(0, ETH, Decimal(0), 4_000.0), verdict, WIDE._replace(gross=15_000.0))
    # If limits are written in one of them, I expect that part of size, position and notional
    assert row["position_lots_max"] == int(CONFIG.position_max_base * scale / 0.01 + 1e-6)
    assert row["order_lots_max"] == int(CONFIG.order_size_max_base * scale / 0.01 + 1e-6)
    assert row["gross_notional_room"] == pytest.approx(15_000.0 - CONFIG.gross_notional_max_usd * (1 - scale))
    assert row["net_long_room"] == pytest.approx(20_000.0 - CONFIG.net_notional_max_usd * (1 - scale))
    assert row["net_short_room"] == row["net_long_room"]


@pytest.mark.parametrize(("levels", "by_step"), [(1, [1, 1, 1]), (3, [1, 2, 2]), (8, [2, 4, 6])])
def test_recovering_gives_levels_back_step_by_step(levels: int, by_step: list[int]) -> None:
    # Given a strategy of so many levels, and three steps up to four fifths
    flat = Holding(0, ETH, Decimal(0), 4_000.0)
    verdicts = [Verdict(TradingState.RECOVERING, RiskReason.NONE, "", step) for step in (1, 2, 3)]
    # If limits are written in each step, I expect more levels from step to step, one at least, and then no limit
    assert [Row().fill(flat, verdict, levels=levels)["levels_max"] for verdict in verdicts] == by_step
    assert Row().fill(flat, levels=levels)["levels_max"] == QUOTE_LEVELS_MAX


@pytest.mark.parametrize(
    ("changed", "room", "reason"),
    [
        ({}, 20_000.0, RiskReason.NOTIONAL_LIMIT),
        ({"margin": 5.0}, 5.0, RiskReason.MARGIN_USE),
        ({"margin": 5.0, "liquidation": 4.0}, 4.0, RiskReason.LIQUIDATION_NEAR),
        ({"margin": math.nan, "liquidation": 4.0}, math.nan, RiskReason.MARGIN_USE),
        ({"liquidation": math.nan}, math.nan, RiskReason.LIQUIDATION_NEAR),
        ({"gross": math.nan}, math.nan, RiskReason.NOTIONAL_LIMIT),
    ],
)
def test_the_tightest_of_notional_margin_and_liquidation_is_told(
    changed: dict[str, float], room: float, reason: RiskReason
) -> None:
    found, why = WIDE._replace(**changed).tightest
    assert found == pytest.approx(room, nan_ok=True)
    assert why is reason


def test_the_collar_follows_mark_and_last_trade() -> None:
    # Given 2 % around the mark and 5 % around the last trade
    assert Holding(0, ETH, Decimal(0), 100.0).collar(CONFIG) == pytest.approx((98.0, 102.0))
    # If the last trade is known, I expect the narrower bound on each side, and none when they are far apart
    assert Holding(0, ETH, Decimal(0), 100.0, 104.0).collar(CONFIG) == pytest.approx((98.8, 102.0))
    assert Holding(0, ETH, Decimal(0), 100.0, 96.0).collar(CONFIG) == pytest.approx((98.0, 100.8))
    low, high = Holding(0, ETH, Decimal(0), 100.0, 120.0).collar(CONFIG)
    assert low > high
    assert math.isnan(Holding(0, ETH, Decimal(0), math.nan, 100.0).collar(CONFIG)[0])


def test_a_broken_lot_counts_as_a_whole_one() -> None:
    assert position_lots(Holding(0, ETH, Decimal("0.011"), 1.0)) == 2
    assert position_lots(Holding(0, ETH, Decimal("-0.011"), 1.0)) == -2


def test_a_flat_instrument_has_no_notional_whatever_its_mark() -> None:
    assert Holding(0, ETH, Decimal(0), math.nan).notional == 0.0
    assert math.isnan(Holding(0, ETH, Decimal(1), math.nan).notional)
    assert Holding(0, ETH, Decimal(-2), 4_000.0).notional == 8_000.0


def test_a_change_says_whether_it_loosens() -> None:
    assert changed_limit(CONFIG, "position_max_base", "3").is_looser
    assert not changed_limit(CONFIG, "position_max_base", "1.5").is_looser
    assert not changed_limit(CONFIG, "position_max_base", "2.0").is_looser
    assert changed_limit(CONFIG, "flatten_on_halt", "true").config.flatten_on_halt
    assert not changed_limit(CONFIG, "flatten_on_halt", "true").is_looser
    assert changed_limit(CONFIG, "cooldown_s", "1").is_looser
    assert changed_limit(CONFIG, "stop_loss_bps", "0").is_looser  # 0 = off
    assert not changed_limit(CONFIG, "take_profit_bps", "50").is_looser


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("positions", "1", "no limit `positions`"),
        ("interval_ms", "20", "no limit `interval_ms`"),
        ("position_max_base", "lots", "risk.position_max_base = lots"),
        ("position_max_base", "-1", "risk.position_max_base = -1"),
        ("position_max_base", "nan", "risk.position_max_base = nan"),
        ("position_max_base", "0.1", "must not exceed position_max_base"),
    ],
)
def test_a_change_that_cannot_be_is_explained(name: str, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        changed_limit(CONFIG, name, text)


def test_limits_set_before_a_restart_are_in_force_again() -> None:
    # Given every limit that can be set, set to what it is
    values = {name: float(getattr(CONFIG, name)) for name in LOOSER}
    # If they are put over the configuration, with one changed, I expect only that one to differ
    assert with_limits(CONFIG, values) == CONFIG
    changed = with_limits(CONFIG, {**values, "open_orders_max": 4.0, "flatten_on_halt": 1.0})
    assert (changed.open_orders_max, changed.flatten_on_halt) == (4, True)
