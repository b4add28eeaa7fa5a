"""Models that are solved on a grid, in a quoter: when they are solved, and what stands in for a solution."""

from __future__ import annotations

from typing import Any

import pytest

from domain.clock import NS_PER_S
from domain.codes import ClampFlag, OffReason
from domain.errors import ConfigError
from tests.quoting_case import BARE, Case, quote
from trading.quoting.config import ORDERS_MAX

EXACT = BARE.with_values({"model": "avellaneda_stoikov_exact", "order_size_base": 0.5, "position_soft_base": 10.0})
CJ = EXACT.with_values({"model": "cartea_jaimungal"})


def solves(case: Case) -> int:
    return int(case.quoter.record["table"]["solves"][0])


def test_before_the_first_solution_nothing_is_quoted() -> None:
    case = Case(EXACT)
    case.tick()
    case.decide()
    case.quoter.record["table"]["nodes"] = 0
    case.quoter.decide(case.now_ns, case.now_ns)
    assert case.quoter.off_reasons == (OffReason.NOT_FINITE, OffReason.NOT_FINITE)
    # one step beside the ticks, and it quotes
    assert case.quoter.solve()
    case.quoter.decide(case.now_ns, case.now_ns)
    assert case.quoter.off_reasons == (OffReason.QUOTED, OffReason.QUOTED)


def test_a_solution_is_kept_until_an_input_has_moved_by_more_than_the_tolerance() -> None:
    case = Case(EXACT)
    case.quote()
    assert solves(case) == 1
    for gamma, expected in ((0.0104, 1), (0.0106, 2)):
        case.quoter.configure(EXACT.with_values({"risk_aversion_per_usd": gamma}), case.units)
        case.quote(NS_PER_S)
        assert solves(case) == expected
    # a drift counts by the position that it is worth, in orders
    for drift, expected in ((0.0005, 2), (0.05, 3)):
        changes = {"risk_aversion_per_usd": 0.0106, "drift_usd_per_s": drift}
        case.quoter.configure(EXACT.with_values(changes), case.units)
        case.quote(NS_PER_S)
        assert solves(case) == expected


def test_another_model_never_quotes_from_the_grid_of_the_one_before() -> None:
    case = Case(EXACT)
    case.quote()
    case.quoter.configure(CJ, case.units)
    case.tick()
    case.quoter.decide(case.now_ns, case.now_ns)
    assert case.quoter.off_reasons[0] == OffReason.NOT_FINITE
    assert case.quoter.solve()


def test_a_closed_form_asks_for_no_grid() -> None:
    case = Case(BARE)
    case.quote()
    assert solves(case) == 0
    assert not case.quoter.solve()


@pytest.mark.parametrize("config", [EXACT, CJ])
def test_the_skew_is_against_the_position_and_flat_is_symmetric(config: Any) -> None:
    flat, long, short = (quote(config, lots) for lots in (0, 3000, -3000))
    assert flat["skew"] == pytest.approx(0.0, abs=1e-9)
    assert long["skew"] < 0 < short["skew"]
    assert long["skew"] == pytest.approx(-short["skew"], rel=1e-9)
    assert flat["skew_per_unit"] > 0


def test_a_position_beyond_the_grid_is_flagged() -> None:
    config = EXACT.with_values({"position_hard_base": 1.0, "position_soft_base": 1.0})
    assert quote(config, 5000)["clamp_flags"] & ClampFlag.TABLE_EXCEEDED
    assert not quote(config, 500)["clamp_flags"] & ClampFlag.TABLE_EXCEEDED


def test_too_many_orders_for_a_grid_are_refused() -> None:
    with pytest.raises(ConfigError, match=f"at most {ORDERS_MAX} orders a side"):
        EXACT.with_values({"order_size_base": 0.01})
