from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from actors.market_data.actor import _ring_of
from runtime.topology import Topology

TWO = Topology(["BTC-PERPETUAL", "ETH-PERPETUAL", "BTC-ROLL"], {"BTC": ["BTC-PERPETUAL"], "ETH": ["ETH-PERPETUAL"]})


def test_a_tick_rings_only_the_strategy_that_has_the_instrument() -> None:
    rung: list[str] = []
    ctx: Any = SimpleNamespace(topology=TWO, doorbell=lambda actor: SimpleNamespace(ring=lambda: rung.append(actor)))
    for name in TWO.instruments:
        _ring_of(ctx, name)()
    assert rung == ["strategy.BTC", "strategy.ETH"], "an instrument that is only followed wakes nobody"
