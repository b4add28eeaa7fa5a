"""A perpetual and a future on one clock: alone as together, and bound by what they share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backtest.data.container import EventFile
from backtest.engine.requests import LIQUIDATION_ID
from backtest.engine.run import Engine, backtest
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


def skewed(legs: list[Leg]) -> list[Leg]:
    """Return the legs with quotes that lean on the net delta of both."""
    quoting = legs[0].settings.quoting.with_values({"underlying_inventory_weight": 0.5})
    return [Leg(leg.file, replace(leg.settings, quoting=quoting)) for leg in legs]


def test_what_comes_out_does_not_depend_on_the_order_in_which_they_are_given(legs: list[Leg]) -> None:
    # Given legs that skew together, and limits that never bind
    legs = skewed(legs)
    account = Account(gross_notional_max_usd=1e9, net_notional_max_usd=1e9)
    given, turned = backtest_together(legs, account), backtest_together(legs[::-1], account)
    # I expect that they see each other, and the same whoever is played first
    alone = [backtest(EventFile(leg.file.path), leg.settings).fills_hash for leg in legs]
    assert [result.fills_hash for result in given] != alone
    assert [result.fills_hash for result in given] == [result.fills_hash for result in turned[::-1]]


def test_nobody_is_told_of_a_fill_that_another_has_not_heard_of_as_the_slice_begins(
    legs: list[Leg], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, float]] = []  # (end of the slice, net delta that its engine was told)
    play = Engine.play

    def watched(engine: Engine, until_ns: int) -> None:
        told.append((until_ns, float(engine.quoter.record["moment"]["net_delta"][0])))
        play(engine, until_ns)

    monkeypatch.setattr(Engine, "play", watched)
    results = backtest_together(skewed(legs), Account())
    begins_ns = [told[0][0], *(until_ns for until_ns, _ in told[::2])][: len(told) // 2]
    fills = np.concatenate([result.fills for result in results])
    lots = fills["side"].astype(np.int64) * fills["size_lots"]
    expected = [float(lots[fills["local_time_ns"] <= begin_ns].sum()) * MARKET.lot_size for begin_ns in begins_ns]
    assert [delta for _, delta in told[::2]] == pytest.approx(expected)
    assert [delta for _, delta in told[1::2]] == pytest.approx(expected)
    assert max(map(abs, expected)) > 0.0
