"""The rules of the book: price and time, post-only, immediate orders, own orders, reduce-only."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exchange.core.orders import (
    ChangeReason,
    Collar,
    DeleteReason,
    OrderRejected,
    OrderType,
    Reject,
    Side,
    Status,
    StpAction,
    StpLevel,
    TimeInForce,
)

IOC = TimeInForce.IMMEDIATE_OR_CANCEL


def test_a_better_price_trades_before_an_earlier_order(venue: Any) -> None:
    # Given an earlier order at a worse price and a later one at a better price
    early = venue.buy(99_990, "0.01").order
    better = venue.buy(99_995, "0.01").order
    # If a taker sells what one of them wants
    venue.take(Side.SELL, 10, 99_000)
    # I expect the better price to be filled, the earlier order untouched
    assert (better.status, early.status) == (Status.FILLED, Status.OPEN)


def test_at_one_price_the_earlier_order_trades_first(venue: Any) -> None:
    # Given another maker in front of us at the same price
    other = venue.rest(Side.BUY, 99_995, 10)
    ours = venue.buy(99_995, "0.01").order
    # If a taker sells half as much again as the first wants
    venue.take(Side.SELL, 15, 99_000)
    # I expect the first filled and us in part
    assert not other.is_open
    assert (ours.status, ours.filled_lots) == (Status.PARTIALLY_FILLED, 5)


def test_a_crossing_order_trades_at_the_resting_prices_and_rests_with_what_is_left(venue: Any) -> None:
    # Given two ask levels
    venue.rest(Side.SELL, 100_001, 5)
    venue.rest(Side.SELL, 100_002, 5)
    # If a bigger limit order crosses both
    update = venue.buy(100_002, "0.012")
    # I expect one update with both fills, and the rest in the book
    assert [(fill.price_ticks, fill.lots, fill.is_maker) for fill in update.fills] == [
        (100_001, 5, False),
        (100_002, 5, False),
    ]
    assert (update.change_reason, update.status) == (ChangeReason.INSERT, Status.PARTIALLY_FILLED)
    assert venue.levels(Side.BUY) == [(100_002, 2)]
    assert venue.levels(Side.SELL) == []
    assert venue.tape.trades() == [(100_001, 5, Side.BUY), (100_002, 5, Side.BUY)]


def test_a_post_only_order_that_would_trade_is_moved_one_tick_outside(venue: Any) -> None:
    # Given a best ask
    venue.rest(Side.SELL, 100_001, 5)
    # If a post-only buy is limited at it, and beyond it
    at, beyond = venue.buy(100_001, "0.001", post_only=True), venue.buy(100_050, "0.001", post_only=True)
    # I expect both one tick below it, and nothing traded
    assert (at.price_ticks, beyond.price_ticks) == (100_000, 100_000)
    assert venue.tape.trades() == []


def test_a_post_only_sell_is_moved_one_tick_above_the_best_bid(venue: Any) -> None:
    venue.rest(Side.BUY, 99_999, 5)
    assert venue.sell(99_990, "0.001", post_only=True).price_ticks == 100_000


def test_reject_post_only_closes_the_order_instead_of_moving_it(venue: Any) -> None:
    # Given a best ask
    venue.rest(Side.SELL, 100_001, 5)
    # If a post-only order that must not be moved would cross
    update = venue.buy(100_001, "0.001", post_only=True, reject_post_only=True)
    # I expect a cancelled order, not an error
    assert (update.status, update.delete_reason) == (Status.CANCELLED, DeleteReason.IMMEDIATE_CANCEL)
    assert venue.a.open_orders == {}


def test_an_immediate_order_never_rests(venue: Any) -> None:
    # Given less on offer than we want
    venue.rest(Side.SELL, 100_001, 5)
    # If we take immediate-or-cancel
    update = venue.buy(100_001, "0.01", time_in_force=IOC)
    # I expect a fill of what there was, and the rest cancelled
    assert (update.filled_lots, update.status) == (5, Status.CANCELLED_PARTIALLY_FILLED)
    assert update.delete_reason is DeleteReason.IMMEDIATE_CANCEL
    assert venue.levels(Side.BUY) == []


def test_an_immediate_order_without_a_match_is_cancelled(venue: Any) -> None:
    update = venue.buy(99_000, "0.01", time_in_force=IOC)
    assert (update.status, update.fills) == (Status.CANCELLED, ())


def test_a_market_order_walks_the_book_but_not_beyond_the_collar(venue: Any) -> None:
    # Given an ask inside the collar of 1 % and one beyond it
    venue.rest(Side.SELL, 100_500, 5)
    venue.rest(Side.SELL, 101_001, 5)
    # If a market order wants both
    update = venue.buy(None, "0.01", order_type=OrderType.MARKET)
    # I expect it to stop at the collar
    assert [(fill.price_ticks, fill.lots) for fill in update.fills] == [(100_500, 5)]
    assert update.status is Status.CANCELLED_PARTIALLY_FILLED


def test_a_limit_beyond_the_collar_is_rejected_clamped_or_let_through(venue: Any) -> None:
    # Given the collar at 1 % of a mark of 100,000
    assert (venue.market.mark.collar_low_ticks, venue.market.mark.collar_high_ticks) == (99_000, 101_000)
    # If a buy lies beyond it, I expect a reject by default, the edge when clamped, the price when ignored
    with pytest.raises(OrderRejected) as caught:
        venue.buy(101_001, "0.001")
    assert caught.value.reason is Reject.COLLAR_BREACH
    assert venue.buy(102_000, "0.001", collar=Collar.CLAMP).price_ticks == 101_000
    assert venue.buy(102_000, "0.001", collar=Collar.IGNORE).price_ticks == 102_000


def test_a_sell_is_checked_by_the_low_collar_only(venue: Any) -> None:
    assert venue.sell(150_000, "0.001").status is Status.OPEN
    with pytest.raises(OrderRejected):
        venue.sell(98_999, "0.001")


def test_an_own_order_in_the_way_cancels_the_taker_after_what_was_ahead(venue: Any) -> None:
    # Given a stranger's ask in front of our own
    venue.rest(Side.SELL, 100_001, 3)
    own = venue.sell(100_001, "0.005").order
    # If we buy through both
    update = venue.buy(100_002, "0.01")
    # I expect the stranger's part filled, the rest of the taker cancelled, our ask untouched
    assert (update.filled_lots, update.delete_reason) == (3, DeleteReason.SELF_TRADE_PREVENTION)
    assert (own.status, own.filled_lots) == (Status.OPEN, 0)


def test_no_fill_prevention_cancels_the_taker_before_anything_trades(venue: Any) -> None:
    # Given the same book
    venue.rest(Side.SELL, 100_001, 3)
    venue.sell(100_001, "0.005")
    # If the taker wants no fill at all when it meets an own order
    action = StpAction.CANCEL_AGGRESSIVE_NO_FILL
    update = venue.buy(100_002, "0.01", stp_action=action)
    # I expect nothing to have traded, but a taker that stops before the own order to trade
    assert (update.status, update.delete_reason) == (Status.CANCELLED, DeleteReason.SELF_TRADE_PREVENTION)
    assert venue.tape.trades() == []
    assert venue.buy(100_002, "0.003", stp_action=action).status is Status.FILLED


def test_without_prevention_an_account_trades_with_itself(venue: Any) -> None:
    own = venue.sell(100_001, "0.005").order
    update = venue.buy(100_001, "0.005", stp_level=StpLevel.DISABLED)
    assert (update.status, own.status) == (Status.FILLED, Status.FILLED)
    assert venue.a.position_lots(venue.perpetual) == 0


def test_two_accounts_trade_with_each_other(venue: Any) -> None:
    venue.order(venue.b, Side.SELL, 100_001, "0.005")
    venue.buy(100_001, "0.005")
    assert venue.a.position_lots(venue.perpetual) == 5
    assert venue.b.position_lots(venue.perpetual) == -5


def test_a_reduce_only_order_is_cut_to_the_position(venue: Any) -> None:
    # Given a position of 5 lots
    venue.rest(Side.SELL, 100_001, 5)
    venue.buy(100_001, "0.005")
    # If a reduce-only order wants more than that
    update = venue.sell(100_010, "0.02", reduce_only=True)
    # I expect it cut
    assert update.amount_lots == 5


def test_a_reduce_only_order_that_would_open_is_rejected(venue: Any) -> None:
    with pytest.raises(OrderRejected) as caught:
        venue.sell(100_010, "0.02", reduce_only=True)
    assert caught.value.reason is Reject.NOTHING_TO_REDUCE


def test_a_resting_reduce_only_order_shrinks_with_the_position(venue: Any) -> None:
    # Given a long position of 5 lots and a reduce-only ask for all of it, behind another ask of ours
    venue.rest(Side.SELL, 100_001, 5)
    venue.buy(100_001, "0.005")
    venue.sell(100_005, "0.003")
    reducing = venue.sell(100_010, "0.005", reduce_only=True).order
    # If the other ask fills
    venue.take(Side.BUY, 3, 100_005)
    # I expect the reduce-only order cut to the 2 lots that are left, and gone when the position is
    assert reducing.amount_lots == 2
    venue.rest(Side.BUY, 99_999, 2)
    venue.sell(99_999, "0.002")
    assert (reducing.status, reducing.delete_reason) == (Status.CANCELLED, DeleteReason.IMMEDIATE_CANCEL)
    assert venue.levels(Side.SELL) == []


def test_a_reduce_only_order_never_trades_through_zero_within_one_aggressor(venue: Any) -> None:
    # Given a long position of 5 lots and two reduce-only asks for all of it
    venue.rest(Side.SELL, 100_001, 5)
    venue.buy(100_001, "0.005")
    venue.sell(100_005, "0.005", reduce_only=True)
    venue.sell(100_006, "0.005", reduce_only=True)
    # If one taker is big enough for both
    assert venue.take(Side.BUY, 10, 100_010) == 5
    # I expect to be flat, not short
    assert venue.a.position_lots(venue.perpetual) == 0


def test_totals_and_levels_agree_after_everything_is_cancelled(venue: Any) -> None:
    # Given some orders, some of them filled in part
    orders = [venue.buy(99_990 + n, "0.01").order for n in range(5)]
    venue.take(Side.SELL, 13, 99_000)
    # If all that is left is cancelled
    for order in orders:
        if order.is_open:
            venue.market.cancel(order)
    # I expect an empty side
    assert venue.market.book.bids.total_lots == 0
    assert venue.levels(Side.BUY) == []
    assert venue.market.account_orders == {}


def test_a_fill_of_ours_reports_maker_and_its_fee(venue: Any) -> None:
    # Given a resting bid
    venue.buy(99_995, "0.01")
    # If it fills
    venue.take(Side.SELL, 10, 99_000)
    # I expect a trade as maker at 1 bp of the index
    (event,) = venue.tape.account_trades()
    assert event.trade.is_maker
    assert event.trade.fee == Decimal("0.1")
    assert event.trade.position_after == Decimal("0.01")
