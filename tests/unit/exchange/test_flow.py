"""The background flow: alive, two-sided, the same for the same seed, and steerable."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from exchange.background.simulation import Background
from exchange.core.orders import DeleteReason, NewOrder, Side
from exchange.core.scheduler import NS_PER_MS, NS_PER_S


def start(venue: Any, seed: int = 1) -> Background:
    background = Background(venue.engine, seed=seed)
    background.start()
    return background


def test_the_same_seed_gives_the_same_market(venue_factory: Any) -> None:
    tapes = []
    for seed in (1, 1, 2):
        venue = venue_factory()
        start(venue, seed)
        venue.scheduler.advance(10 * NS_PER_S)
        tapes.append((venue.tape.trades(), venue.levels(Side.BUY)))
    assert tapes[0] == tapes[1]
    assert tapes[0] != tapes[2]


def test_the_book_stays_whole_uncrossed_and_a_few_ticks_wide(venue: Any) -> None:
    # Given two minutes of flow
    start(venue)
    spreads = []
    for _ in range(1_200):
        venue.scheduler.advance(100 * NS_PER_MS)
        bids, asks = venue.market.book.bids, venue.market.book.asks
        assert bids.best_ticks() < asks.best_ticks()
        assert bids.total_lots > 1_000
        assert asks.total_lots > 1_000
        spreads.append(asks.best_ticks() - bids.best_ticks())
    # I expect room to quote inside, and a lively book
    assert 2 <= float(np.median(spreads)) <= 8
    assert 50 <= len(venue.tape.changes) / 120 <= 300


def test_prices_follow_the_fair_price_and_the_mark_follows_both(venue: Any) -> None:
    background = start(venue)
    venue.scheduler.advance(60 * NS_PER_S)
    assert abs(venue.market.book.mid_ticks() - background.fair.usd) < 25
    assert abs(float(venue.market.mark.mark_price) - background.fair.usd) < 25


def test_a_quoter_gets_fills_on_both_sides_within_a_minute(venue: Any) -> None:
    # Given a quoter of 3 levels a side, 3 USD from the mid at first, re-quoting five times a second
    start(venue)
    orders: list[Any] = []
    for _ in range(5 * 60):
        venue.scheduler.advance(200 * NS_PER_MS)
        mid = round(venue.market.book.mid_ticks())
        venue.engine.cancel_orders(orders, DeleteReason.CLIENT_CANCEL)
        orders = [
            venue.market.insert(
                NewOrder(venue.a, "S1", side, Decimal("0.01"), Decimal(mid - sign * (3 + 2 * level)), post_only=True)
            ).order
            for side, sign in ((Side.BUY, 1), (Side.SELL, -1))
            for level in range(3)
        ]
        venue.engine.commit()
    # I expect ten and more on either side
    fills = [event.trade.order.side for event in venue.tape.account_trades()]
    assert fills.count(Side.BUY) >= 10
    assert fills.count(Side.SELL) >= 10


def test_a_stopped_flow_leaves_the_book_as_it_is(venue: Any) -> None:
    background = start(venue)
    venue.scheduler.advance(NS_PER_S)
    background.set_running(False)
    before = venue.levels(Side.BUY), len(venue.tape.trades())
    venue.scheduler.advance(5 * NS_PER_S)
    assert (venue.levels(Side.BUY), len(venue.tape.trades())) == before
    background.set_running(True)
    venue.scheduler.advance(2 * NS_PER_S)
    assert venue.levels(Side.BUY) != before[0]


def test_a_jump_moves_index_and_marks_at_once_and_the_book_after_it(venue: Any) -> None:
    background = start(venue)
    venue.scheduler.advance(2 * NS_PER_S)
    before = venue.market.mark.mark_price
    background.jump(Decimal(-500))
    assert venue.market.mark.mark_price == before - 500
    venue.scheduler.advance(5 * NS_PER_S)
    assert venue.market.book.mid_ticks() < 99_700


def test_a_stall_is_caught_up_only_in_part(venue: Any) -> None:
    # Given a scheduler that finds the flow an hour late
    start(venue)
    venue.scheduler._now_ns += 3_600 * NS_PER_S
    # If time goes on, I expect it to live on without an hour of steps
    before = len(venue.tape.events)
    venue.scheduler.advance(10 * NS_PER_MS)
    assert len(venue.tape.events) - before < 5_000
