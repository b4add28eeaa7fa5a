"""A perpetual and a future on one underlying skew together: the net delta counts, not the leg."""

from __future__ import annotations

import math

import pytest

from domain.codes import OffReason
from tests.quoting_case import BARE, Case

LONG_LOTS = 2000  # 2 BTC at a lot of 0.001


def seen(weight: float, position_lots: int, net_delta: float | None) -> dict[str, float]:
    case = Case(BARE.with_values({"underlying_inventory_weight": weight}))
    case.hold(position_lots)
    case.net_delta = net_delta
    return case.quote()


def test_without_weight_the_own_position_alone_counts() -> None:
    assert seen(0.0, LONG_LOTS, -2.0)["skew"] == seen(0.0, LONG_LOTS, None)["skew"] < 0.0
    assert seen(0.0, LONG_LOTS, -2.0)["inventory"] == 2.0


def test_with_full_weight_the_net_delta_alone_counts() -> None:
    hedged = seen(1.0, LONG_LOTS, 0.0)
    assert (hedged["position"], hedged["net_delta"], hedged["inventory"], hedged["skew"]) == (2.0, 0.0, 0.0, 0.0)
    assert seen(1.0, 0, 2.0)["skew"] == seen(0.0, LONG_LOTS, None)["skew"], "a flat leg sheds what the other holds"


@pytest.mark.parametrize("weight", [0.25, 0.5, 0.9])
def test_in_between_it_is_a_mix(weight: float) -> None:
    quote = seen(weight, LONG_LOTS, -1.0)
    assert quote["inventory"] == pytest.approx(2.0 + weight * (-1.0 - 2.0))
    assert quote["skew"] == pytest.approx(-quote["skew_per_unit"] * quote["inventory"])


def test_the_hard_limit_goes_by_the_own_position_whatever_the_net() -> None:
    quote = seen(1.0, 10_000, 0.0)
    assert (quote["bids"], quote["bid_off_reason"]) == ([], OffReason.POSITION_LIMIT)


def test_an_unknown_net_takes_the_quotes_away_only_where_it_counts() -> None:
    assert seen(0.5, 0, None)["bid_off_reason"] == OffReason.POSITION_UNKNOWN
    quote = seen(0.0, 0, None)
    assert quote["bid_off_reason"] == OffReason.QUOTED
    assert math.isnan(quote["net_delta"])
