"""What is listed: both underlyings by the venue's contract table, several expiries, their rolls and options."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from exchange.background.simulation import Background
from exchange.core.instrument import InstrumentType, daily_expiry, weekly_expiry
from exchange.core.listing import Listing, Products
from exchange.core.orders import Side
from exchange.core.scheduler import NS_PER_S

PRICES = {"BTCUSD": 100_000.0, "ETHUSD": 4_000.0}
ALL = ("daily", "weekly", "quarterly")


def listed(venue: Any, *, expiries: tuple[str, ...] = ALL) -> Any:
    """Return the venue with both underlyings listed from nothing; it is Saturday, 2026-11-21, 01:03 UTC."""
    venue.engine.markets.clear()
    venue.engine.listing = Listing(venue.engine, Products(expiries=expiries), PRICES)
    venue.engine.listing.refresh()
    return venue


def test_both_underlyings_follow_the_contract_table(venue: Any) -> None:
    markets = listed(venue).engine.markets
    # price tick, amount tick and least order of perpetual, roll and option, as the venue publishes them
    table = {
        "BTC-PERPETUAL": ("1", "0.001", "0.001", "FBTCUSD"),
        "BTC-25DEC26": ("1", "0.001", "0.001", "FBTCUSD"),
        "BTC-25DEC26-PERPETUAL": ("1", "0.001", "0.1", "FBTCUSD"),
        "BTC-25DEC26-100000-C": ("5", "0.01", "0.01", "OBTCUSD"),
        "ETH-PERPETUAL": ("0.1", "0.01", "0.01", "FETHUSD"),
        "ETH-25DEC26": ("0.1", "0.01", "0.01", "FETHUSD"),
        "ETH-25DEC26-PERPETUAL": ("0.1", "0.01", "1", "FETHUSD"),
        "ETH-25DEC26-4000-P": ("1", "0.1", "0.1", "OETHUSD"),
    }
    for name, (tick, lot, least, product) in table.items():
        instrument = markets[name].instrument
        grid = instrument.grid
        assert (grid.tick_size, grid.lot_size) == (Decimal(tick), Decimal(lot)), name
        assert grid.amount(instrument.order_size_lots_min) == Decimal(least), name
        assert instrument.product == product


def test_each_expiry_has_a_future_a_roll_to_the_perpetual_and_one_to_the_next(venue: Any) -> None:
    markets = listed(venue).engine.markets
    rolls = [m.instrument.name for m in markets.values() if m.instrument.type is InstrumentType.COMBINATION]
    assert rolls[:5] == [
        "BTC-21NOV26-PERPETUAL",
        "BTC-27NOV26-PERPETUAL",
        "BTC-27NOV26-21NOV26",
        "BTC-25DEC26-PERPETUAL",
        "BTC-25DEC26-27NOV26",
    ]
    near = markets["BTC-27NOV26-21NOV26"].instrument
    assert near.expiry_time == markets["BTC-21NOV26"].instrument.expiry_time  # a roll ends with its near leg
    # and strikes stand closer together where the expiry is near
    assert {"BTC-21NOV26-99000-C", "BTC-27NOV26-98000-C", "BTC-25DEC26-95000-C"} <= markets.keys()


def test_a_day_later_the_daily_is_replaced_and_nothing_else_changes(venue: Any) -> None:
    engine = listed(venue).engine
    engine.set_index_source("ETHUSD", lambda: Decimal(4_000))
    before = set(engine.markets)
    engine.move_clock(86_400)
    gone, new = before - engine.markets.keys(), engine.markets.keys() - before
    assert gone
    assert all("21NOV26" in name for name in gone)
    assert all("22NOV26" in name for name in new)
    assert {"BTC-22NOV26", "ETH-22NOV26", "ETH-22NOV26-PERPETUAL", "ETH-27NOV26-22NOV26"} <= new


@pytest.mark.parametrize(
    ("now", "daily", "weekly"),
    [
        ("2026-11-20T07:59", "2026-11-20", "2026-11-27"),  # a Friday: today's is the daily
        ("2026-11-20T08:00", "2026-11-21", "2026-11-27"),
        ("2026-11-25T12:00", "2026-11-26", "2026-11-27"),
        ("2026-11-26T12:00", "2026-11-27", "2026-12-04"),  # tomorrow's Friday is the daily already
    ],
)
def test_expiries_fall_on_0800_utc(now: str, daily: str, weekly: str) -> None:
    at = datetime.datetime.fromisoformat(now).replace(tzinfo=datetime.UTC)
    assert daily_expiry(at).isoformat() == f"{daily}T08:00:00+00:00"
    assert weekly_expiry(at).isoformat() == f"{weekly}T08:00:00+00:00"


@pytest.mark.parametrize(("correlation", "least", "most"), [(0.9, 0.75, 1.0), (0.0, -0.25, 0.25), (-0.9, -1.0, -0.75)])
def test_eth_moves_with_btc_as_much_as_configured(venue: Any, correlation: float, least: float, most: float) -> None:
    listed(venue, expiries=())
    background = Background(venue.engine, seed=3, correlation=correlation)
    background.start()
    moves = []
    for _ in range(400):
        before = [fair.usd for fair in background.fairs.values()]
        venue.scheduler.advance(NS_PER_S // 4)
        moves.append([after.usd / was - 1 for was, after in zip(before, background.fairs.values(), strict=True)])
    measured = np.corrcoef(np.array(moves).T)[0, 1]
    assert least <= measured <= most


def test_perpetuals_and_futures_of_both_have_two_sided_flow(venue: Any) -> None:
    listed(venue)
    background = Background(venue.engine, seed=5)
    venue.engine.add_listener(background)
    background.start()
    venue.scheduler.advance(60 * NS_PER_S)
    names = [f"{base}-{end}" for base in ("BTC", "ETH") for end in ("PERPETUAL", "21NOV26", "27NOV26", "25DEC26")]
    for name in names:
        market = venue.engine.markets[name]
        assert market.book.bids.best_ticks() < market.book.asks.best_ticks(), name
        # a futures market stands above its index by the carry of the time left, within half a percent
        assert (
            abs(market.book.mid_ticks() * float(market.instrument.grid.tick_size) / float(market.mark.index_price) - 1)
            < 0.01
        ), name
        trades = [event for event in venue.tape.events if getattr(event, "instrument", None) is market.instrument]
        sides = {trade.aggressor_side for trade in trades if hasattr(trade, "aggressor_side")}
        assert sides == {Side.BUY, Side.SELL}, name
