"""A perpetual and a future on one clock: alone as together, and bound by what they share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backtest.data.container import EventFile
from backtest.engine.requests import LIQUIDATION_ID
from backtest.engine.run import backtest
from backtest.engine.together import Account, Leg, backtest_together
from tests.backtest_run import MARKET, settings, written

STEADY = replace(MARKET, sigma=0.3, rate=4.0)


@pytest.fixture
def legs(tmp_path: Path) -> list[Leg]:
    """Two markets of twenty seconds."""
    found = []
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        found.append(Leg(written(folder, replace(STEADY, seed=seed)), settings()))
    return found


def positions_at(result: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the position in lots at each time."""
    at = np.searchsorted(result["exchange_time_ns"], times, side="right") - 1
    return np.where(at >= 0, result["position_lots"][np.maximum(at, 0)], 0)


def test_without_shared_limits_each_does_what_it_does_alone(legs: list[Leg]) -> None:
    together = backtest_together(legs, Account())
    alone = [backtest(EventFile(leg.file.path), leg.settings) for leg in legs]
    assert [result.fills_hash for result in together] == [result.fills_hash for result in alone]
    assert all(len(result.fills) > 20 for result in together)


def test_the_net_notional_of_all_is_held(legs: list[Leg]) -> None:
    free = backtest_together(legs, Account())
    held = backtest_together(legs, Account(net_notional_max_usd=1500.0))

    def largest_net(results: tuple) -> float:  # type: ignore[type-arg]
        times = np.unique(np.concatenate([result.answers["exchange_time_ns"] for result in results]))
        net_lots = sum(positions_at(result.answers, times) for result in results)
        return float(np.abs(net_lots).max()) * MARKET.lot_size * MARKET.mid

    assert largest_net(free) > 2000.0
    assert largest_net(held) <= 1.01 * 1500.0  # at the mid of then, not of the beginning
    assert all(len(result.fills) > 10 for result in held)


def test_an_account_that_is_used_up_is_closed_everywhere(legs: list[Leg]) -> None:
    results = backtest_together(legs, Account(balance_usd=2.0, maintenance_margin=0.05))
    assert all(result.venue["position_lots"][0] == 0 for result in results)
    assert all(result.venue["is_liquidated"][0] == 1 for result in results)
    assert sum(int((result.fills["order_id"] == LIQUIDATION_ID).sum()) for result in results) >= 1
