from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from actors.market_data.actor import _announcements, _ring_of
from actors.market_data.announcing import QUIET_NS_MIN
from runtime.topology import Topology

TWO = Topology(["BTC-PERPETUAL", "ETH-PERPETUAL", "BTC-ROLL"], {"BTC": ["BTC-PERPETUAL"], "ETH": ["ETH-PERPETUAL"]})


def test_a_tick_rings_only_the_strategy_that_has_the_instrument() -> None:
    rung: list[str] = []
    ctx: Any = SimpleNamespace(topology=TWO, doorbell=lambda actor: SimpleNamespace(ring=lambda: rung.append(actor)))
    for name in TWO.instruments:
        _ring_of(ctx, name)()
    assert rung == ["strategy.BTC", "strategy.ETH"], "an instrument that is only followed wakes nobody"


def context(topology: Topology, rung: list[str], *, early_wake: bool = True) -> Any:
    return SimpleNamespace(
        topology=topology, instrument_names=topology.instruments,
        config=SimpleNamespace(runtime=SimpleNamespace(early_wake=early_wake)),
        doorbell=lambda actor: SimpleNamespace(ring=lambda: rung.append(actor)),
    )  # fmt: skip


def test_a_book_is_announced_to_its_strategy_and_after_a_pause_only() -> None:
    rung: list[str] = []
    ctx = context(TWO, rung)
    btc, eth, followed = _announcements(ctx)
    followed(10 * QUIET_NS_MIN)
    assert rung == [], "nobody waits for an instrument that is only followed"
    btc(10 * QUIET_NS_MIN)
    eth(10 * QUIET_NS_MIN)
    assert rung == ["strategy.BTC", "strategy.ETH"]
    rung.clear()
    # 2,000 ticks a second: whoever follows them is awake, and nobody is rung
    for i in range(1, 100):
        btc(10 * QUIET_NS_MIN + i * QUIET_NS_MIN // 2)
    assert rung == []
    btc(70 * QUIET_NS_MIN)
    assert rung == ["strategy.BTC"]


def test_instruments_of_one_strategy_keep_it_awake_for_each_other() -> None:
    both = Topology(["BTC-PERPETUAL", "ETH-PERPETUAL"])
    rung: list[str] = []
    btc, eth = _announcements(context(both, rung))
    btc(10 * QUIET_NS_MIN)
    eth(10 * QUIET_NS_MIN + 1)
    assert rung == ["strategy"]


def test_without_early_wakes_nothing_is_announced() -> None:
    assert _announcements(context(TWO, [], early_wake=False)) == []
