"""No model leans to a side by itself: symmetric markets have symmetric quotes, mirrored ones mirrored quotes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.quoting_case import BARE, UNITS, Case

FINE = UNITS._replace(tick_size=0.01)
MODELS = ("glft", "avellaneda_stoikov", "avellaneda_stoikov_exact", "cartea_jaimungal")
CENTRE_TICKS = 10_000_000


def mirrored(model: str, fair_price: str, position_lots: int, bid_size: float, ask_size: float) -> dict[str, Any]:
    changes = {"model": model, "fair_price": fair_price, "order_size_base": 0.5, "levels": 3}
    case = Case(BARE.with_values(changes), FINE)
    case.set_book(99_999.5, 100_000.5, bid_size, ask_size)
    case.hold(position_lots)
    return case.quote()


@pytest.mark.parametrize("fair_price", ["mid", "micro", "vamp"])
@pytest.mark.parametrize("model", MODELS)
def test_a_symmetric_book_without_a_position_gives_symmetric_quotes(model: str, fair_price: str) -> None:
    view = mirrored(model, fair_price, 0, 3.0, 3.0)
    assert len(view["bids"]) == 3
    assert [CENTRE_TICKS - bid for bid in view["bids"]] == [ask - CENTRE_TICKS for ask in view["asks"]]
    assert view["bid_lots"] == view["ask_lots"]
    assert view["skew"] == 0.0
    assert view["drift_shift"] == pytest.approx(0.0, abs=1e-9)  # of solved models the rounding of the grid


@pytest.mark.parametrize("fair_price", ["mid", "micro", "vamp"])
@pytest.mark.parametrize("model", MODELS)
def test_the_mirrored_book_and_position_give_the_mirrored_quotes(model: str, fair_price: str) -> None:
    long = mirrored(model, fair_price, 1200, 5.0, 2.0)
    short = mirrored(model, fair_price, -1200, 2.0, 5.0)
    assert long["skew"] == pytest.approx(-short["skew"])
    assert long["skew"] < 0.0
    for one, other in (("bids", "asks"), ("asks", "bids")):
        assert len(long[one]) == 3
        assert [CENTRE_TICKS - ticks for ticks in long[one]] == [ticks - CENTRE_TICKS for ticks in short[other]]
    assert (long["bid_lots"], long["ask_lots"]) == (short["ask_lots"], short["bid_lots"])
