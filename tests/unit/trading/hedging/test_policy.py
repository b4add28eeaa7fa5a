from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clock import NS_PER_S
from domain.codes import HedgeState
from trading.hedging.config import HedgeConfig
from trading.hedging.policy import COOLDOWN_NS_MAX, HedgePolicy, Leg, beta_weight, net_delta, wanted_base

CONFIG = HedgeConfig(instrument="BTC-FUTURE", band_base=0.05, order_size_max_base=0.2, cooldown_s=2.0)


def test_legs_add_up_with_their_weights() -> None:
    legs = [Leg("BTC-PERPETUAL", 0.3, 1.0), Leg("BTC-FUTURE", -0.1, 1.0), Leg("ETH-PERPETUAL", 10.0, 0.03)]
    assert net_delta(legs) == pytest.approx(0.5)


def test_beta_turns_values_into_units_of_the_hedge() -> None:
    assert beta_weight(1.2, 4_000.0, 100_000.0) == pytest.approx(0.048)
    for beta, price, hedge_price in ((math.nan, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, math.nan), (math.inf, 1.0, 1.0)):
        assert math.isnan(beta_weight(beta, price, hedge_price))


@pytest.mark.parametrize(
    ("net", "target", "wanted"),
    [(0.05, 0.0, 0.0), (0.06, 0.0, -0.06), (-0.06, 0.0, 0.06), (0.5, 0.0, -0.2), (0.06, 0.02, 0.0), (0.0, 0.1, 0.1)],
)
def test_a_hedge_leads_from_beyond_the_band_to_the_target(net: float, target: float, wanted: float) -> None:
    config = HedgeConfig(instrument="X", band_base=0.05, order_size_max_base=0.2, target_base=target)
    assert wanted_base(net, config) == pytest.approx(wanted)


@pytest.mark.parametrize("net", [math.nan, math.inf, -math.inf])
def test_a_net_that_is_no_number_is_not_hedged(net: float) -> None:
    assert wanted_base(net, CONFIG) == 0.0


@given(net=st.floats(-1e6, 1e6), target=st.floats(-1e3, 1e3), band=st.floats(1e-6, 1e3), size=st.floats(1e-6, 1e6),
       filled=st.floats(0.0, 1.0))  # fmt: skip
def test_whatever_is_filled_the_net_comes_nearer_and_never_to_the_other_side(
    net: float, target: float, band: float, size: float, filled: float
) -> None:
    config = HedgeConfig(instrument="X", band_base=band, order_size_max_base=size, target_base=target)
    before = net - target
    after = before + filled * wanted_base(net, config)
    assert abs(after) <= abs(before)
    assert after * before >= 0.0


def test_one_hedge_at_a_time_then_a_pause_then_the_next() -> None:
    policy = HedgePolicy(CONFIG, "strategy/1")
    assert policy.decide(0.1, 0)
    assert policy.command_id == "strategy/1/1"
    assert not policy.decide(9.9, 10 * NS_PER_S), "under way until it is answered, however long"
    assert policy.end(-0.1, 10 * NS_PER_S) == 2 * NS_PER_S
    assert not policy.decide(0.1, 12 * NS_PER_S - 1)
    assert policy.decide(0.1, 12 * NS_PER_S)
    assert policy.command_id == "strategy/1/2"


def test_inside_the_band_nothing_happens() -> None:
    policy = HedgePolicy(CONFIG, "strategy/1")
    assert not any(policy.decide(net, 0) for net in (0.0, 0.05, -0.05, math.nan))
    assert policy.state is HedgeState.IDLE


def test_hedges_that_achieve_nothing_come_less_and_less_often_until_one_does() -> None:
    policy = HedgePolicy(CONFIG, "strategy/1")
    pauses, now_ns = [], 0
    for done_base in (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.1, 0.0):
        assert policy.decide(0.1, now_ns)
        pause_ns = policy.end(done_base, now_ns)
        pauses.append(pause_ns // NS_PER_S)
        now_ns += pause_ns
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 2, 2]
    assert max(pauses) * NS_PER_S == COOLDOWN_NS_MAX


def test_a_long_pause_of_the_configuration_is_never_shortened() -> None:
    policy = HedgePolicy(HedgeConfig(instrument="X", band_base=1.0, cooldown_s=600.0), "s/1")
    now_ns = 0
    for _ in range(3):
        assert policy.decide(2.0, now_ns)
        pause_ns = policy.end(0.0, now_ns)
        assert pause_ns == 600 * NS_PER_S
        now_ns += pause_ns
