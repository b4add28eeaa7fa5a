"""Alarms are told with their numbers, once a pause, and never without cause."""

from __future__ import annotations

import math
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from actors.risk.alarms import Alarms
from domain.clock import NS_PER_S, SimClock
from domain.order import LiquiditySide, Side
from domain.reports import TradeReport
from trading.risk.account_view import AccountView
from trading.risk.config import AlarmConfig, RiskConfig

NAME = "BTC-PERPETUAL"
WALL_NS = 1_700_000_000 * NS_PER_S
CONFIG = AlarmConfig(markout_s=5.0, markout_fills=3, markout_bps=2.0, fills_per_min=4, mark_deviation_bps=50.0)


class Scene:
    """The alarms of one instrument, marked at 100,000, and what they said."""

    def __init__(self) -> None:
        self.clock = SimClock(1_000 * NS_PER_S, WALL_NS)
        self.told: list[tuple[str, dict[str, Any]]] = []
        context: Any = SimpleNamespace(
            config=SimpleNamespace(risk=RiskConfig(alarms=CONFIG)),
            instrument_names=(NAME,),
            clock=self.clock,
            counters=SimpleNamespace(add=lambda _: None),
            log=SimpleNamespace(warning=lambda *_, **__: None),
        )
        decisions: Any = SimpleNamespace(write=lambda _, text, **numbers: self.told.append((text, numbers)))
        self.alarms = Alarms(context, decisions)
        self.account = AccountView((NAME,))
        self.account.on_mark(0, 100_000.0)

    def buy(self, price: int, *, age_s: int = 0) -> None:
        zero = Decimal(0)
        trade = TradeReport(
            "T", "O", 0, NAME, Side.BUY, Decimal(price), Decimal("0.01"), zero, zero, zero, zero, LiquiditySide.MAKER,
            "", self.clock.realtime_ns() - age_s * NS_PER_S,
        )  # fmt: skip
        self.alarms.on_trades([trade], self.clock.monotonic_ns())

    def look(self, mid: float, after_s: float = 0.0) -> list[str]:
        """Return the alarms that a look at this mid, so much later, raises."""
        self.clock.advance(int(after_s * NS_PER_S))
        self.told.clear()
        self.alarms.look(self.account, [mid], self.clock.monotonic_ns())
        return [numbers["alarm"] for _, numbers in self.told]


def test_fills_that_the_market_goes_through_are_adverse_selection() -> None:
    # Given as many buys as are judged, and a mid that falls by 3 bps within the delay
    scene = Scene()
    for _ in range(3):
        scene.buy(100_000)
    assert scene.look(100_000.0, 4.9) == []
    # If the delay is over, I expect the alarm with the mean, and again only after its pause
    assert scene.look(99_970.0, 0.2) == ["adverse_selection"]
    assert scene.told[0][1]["markout_bps"] == pytest.approx(-3.0)
    assert scene.look(99_970.0, 30.0) == []
    assert scene.look(99_970.0, 31.0) == ["adverse_selection"]


def test_fills_that_the_market_turns_after_are_none() -> None:
    scene = Scene()
    for _ in range(3):
        scene.buy(100_000)
    assert scene.look(100_030.0, 5.1) == []


def test_more_fills_a_minute_than_can_be_well_are_told() -> None:
    # Given four fills in a minute, and old ones read after a reconnect
    scene = Scene()
    for _ in range(4):
        scene.buy(100_000)
    scene.buy(100_000, age_s=600)
    assert scene.look(100_000.0) == []
    # If there is one more, I expect the alarm, and none when the minute is over
    scene.buy(100_000)
    assert scene.look(100_000.0) == ["fill_rate"]
    assert scene.look(100_000.0, 61.0) == []


def test_a_mid_far_from_the_mark_is_an_anomaly_and_none_is_not() -> None:
    scene = Scene()
    assert scene.look(100_490.0) == []
    assert scene.look(100_510.0) == ["market_anomaly"]
    # Given no mid, or no mark, I expect nothing: others watch that
    assert scene.look(math.nan, 61.0) == []
    scene.account.on_mark(0, math.nan)
    assert scene.look(100_510.0) == []
