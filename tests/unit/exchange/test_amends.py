"""Amends: volume-safe, priority only for less at the same price, crossing ones trade."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.core.orders import ChangeReason, DeleteReason, OrderRejected, Reject, Side, Status


def test_less_at_the_same_price_keeps_priority(venue: Any) -> None:
    # Given us in front of another maker
    ours = venue.buy(99_995, "0.01").order
    venue.rest(Side.BUY, 99_995, 10)
    # If we ask for less
    update = venue.amend(ours, 99_995, "0.006")
    venue.take(Side.SELL, 6, 99_000)
    # I expect to be filled first
    assert update.change_reason is ChangeReason.AMEND
    assert ours.status is Status.FILLED


@pytest.mark.parametrize(("price", "amount"), [(99_995, "0.011"), (99_995, "0.01"), (99_996, "0.01")])
def test_anything_else_loses_priority(venue: Any, price: int, amount: str) -> None:
    # Given us in front of another maker at the price that we go to
    ours = venue.buy(99_995, "0.01").order
    venue.rest(Side.BUY, price, 10)
    # If we amend to more, to the same, or to another price
    venue.amend(ours, price, amount)
    venue.take(Side.SELL, 10, 99_000)
    # I expect the other to be filled first
    assert ours.filled_lots == 0


def test_the_new_amount_counts_what_has_been_filled(venue: Any) -> None:
    # Given an order of 10 lots with 4 filled
    ours = venue.buy(99_995, "0.01").order
    venue.take(Side.SELL, 4, 99_000)
    # If it is amended to 7
    update = venue.amend(ours, 99_990, "0.007")
    # I expect 3 to remain
    assert (update.amount_lots, update.filled_lots, ours.remaining_lots) == (7, 4, 3)
    assert venue.levels(Side.BUY) == [(99_990, 3)]


@pytest.mark.parametrize("amount", ["0.004", "0.003", "0"])
def test_an_amount_not_above_the_filled_deletes_the_order(venue: Any, amount: str) -> None:
    # Given an order with 4 lots filled
    ours = venue.buy(99_995, "0.01").order
    venue.take(Side.SELL, 4, 99_000)
    # If it is amended to no more than that
    update = venue.amend(ours, 99_995, amount)
    # I expect it deleted
    assert (update.change_reason, update.status) == (ChangeReason.AMEND, Status.CANCELLED_PARTIALLY_FILLED)
    assert update.delete_reason is DeleteReason.CLIENT_CANCEL
    assert venue.levels(Side.BUY) == []


def test_a_crossing_amend_trades_as_taker(venue: Any) -> None:
    venue.rest(Side.SELL, 100_001, 4)
    ours = venue.buy(99_995, "0.01").order
    update = venue.amend(ours, 100_001, "0.01")
    assert [(fill.price_ticks, fill.lots, fill.is_maker) for fill in update.fills] == [(100_001, 4, False)]
    assert (update.status, venue.levels(Side.BUY)) == (Status.PARTIALLY_FILLED, [(100_001, 6)])


def test_a_post_only_order_stays_post_only_when_amended(venue: Any) -> None:
    venue.rest(Side.SELL, 100_001, 4)
    ours = venue.buy(99_995, "0.01", post_only=True).order
    assert venue.amend(ours, 100_005, "0.01").price_ticks == 100_000
    assert venue.tape.trades() == []


def test_amending_through_the_own_other_side_loses_the_amended_order(venue: Any) -> None:
    ask = venue.sell(100_001, "0.01").order
    bid = venue.buy(99_995, "0.01").order
    update = venue.amend(bid, 100_001, "0.01")
    assert update.delete_reason is DeleteReason.SELF_TRADE_PREVENTION
    assert ask.is_open


def test_a_refused_amend_leaves_the_order_as_it_was(venue: Any) -> None:
    # Given a working order
    ours = venue.buy(99_995, "0.01").order
    # If an amend is refused for its price, its collar or its amount
    for price, amount, reason in [
        (0, "0.01", Reject.INVALID_PRICE),
        (102_000, "0.01", Reject.COLLAR_BREACH),
        (99_995, "0.0105", Reject.INVALID_AMOUNT),
    ]:
        with pytest.raises(OrderRejected) as caught:
            venue.amend(ours, price, amount)
        assert caught.value.reason is reason
    # I expect nothing to have changed
    assert (ours.price_ticks, ours.amount_lots, ours.is_open) == (99_995, 10, True)
    assert venue.levels(Side.BUY) == [(99_995, 10)]
