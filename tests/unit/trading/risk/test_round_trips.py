"""From flat to flat: what a round trip made, what the open part cost, how many were lost in a row."""

from __future__ import annotations

from decimal import Decimal

from domain.order import LiquiditySide, Side
from domain.reports import TradeReport
from trading.risk.round_trips import RoundTrip


def trade(side: Side, size: str, price: str, fee: str = "0", funding: str = "0", time_ns: int = 1) -> TradeReport:
    zero = Decimal(0)
    return TradeReport(
        "T", "O", 0, "X", side, Decimal(price), Decimal(size), Decimal(fee), zero, zero, Decimal(funding),
        LiquiditySide.MAKER, "", time_ns,
    )  # fmt: skip


BUY, SELL = Side.BUY, Side.SELL


def test_a_round_trip_ends_when_the_position_is_flat() -> None:
    # Given a position built in two trades, fees paid
    trip = RoundTrip()
    assert trip.on_trade(trade(BUY, "1", "100", fee="0.1")) is None
    assert trip.on_trade(trade(BUY, "1", "102", fee="0.1")) is None
    assert trip.open_costs == Decimal("0.2")
    # If half of it is sold, I expect half of its costs to stay; at the end the whole result, costs included
    assert trip.on_trade(trade(SELL, "1", "103", fee="0.1")) is None
    assert trip.open_costs == Decimal("0.1")
    assert trip.on_trade(trade(SELL, "1", "104", fee="0.1")) == Decimal("4.6")
    assert (trip.position, trip.open_costs, trip.losses) == (0, 0, 0)


def test_a_trade_that_turns_the_position_round_ends_one_trip_and_begins_the_next() -> None:
    # Given a long of 1 at 100
    trip = RoundTrip()
    trip.on_trade(trade(BUY, "1", "100"))
    # If 3 are sold at 99 for a fee of 0.3, I expect a third of the fee to belong to the trip that ends
    assert trip.on_trade(trade(SELL, "3", "99", fee="0.3")) == Decimal("-1.1")
    assert (trip.position, trip.open_costs, trip.losses) == (-2, Decimal("0.2"), 1)
    assert trip.on_trade(trade(BUY, "2", "99")) == Decimal("-0.2")
    assert trip.losses == 2


def test_a_gain_ends_a_losing_streak() -> None:
    trip = RoundTrip()
    for price in ("99", "98", "97"):
        trip.on_trade(trade(BUY, "1", "100"))
        trip.on_trade(trade(SELL, "1", price))
    assert trip.losses == 3
    trip.on_trade(trade(SELL, "1", "100"))
    trip.on_trade(trade(BUY, "1", "99", funding="0.5"))
    assert trip.losses == 0


def test_a_position_that_the_run_began_with_belongs_to_the_first_trip() -> None:
    # Given a short of 2 contracts of 10 base units, valued at 50 when the run began
    trip = RoundTrip(Decimal(10), Decimal(-2), Decimal(50))
    # If it is bought back at 51, I expect the loss since then
    assert trip.on_trade(trade(BUY, "2", "51")) == Decimal(-20)


def test_a_streak_that_had_its_consequence_counts_no_more_also_for_a_successor() -> None:
    # Given two trips lost, and forgiven
    lost = [trade(side, "1", price, time_ns=ns) for side, price, ns in
            ((BUY, "100", 5), (SELL, "99", 6), (BUY, "100", 7), (SELL, "99", 8))]  # fmt: skip
    trip = RoundTrip()
    for one in lost:
        trip.on_trade(one)
    assert trip.losses == 2
    trip.forgive()
    assert (trip.losses, trip.forgiven_ns) == (0, 8)
    # If a successor reads the same trades again, I expect none of them to count, and the next loss to
    successor = RoundTrip(forgiven_ns=trip.forgiven_ns)
    for one in [*lost, trade(BUY, "1", "100", time_ns=9), trade(SELL, "1", "99", time_ns=10)]:
        successor.on_trade(one)
    assert successor.losses == 1


def test_what_a_daily_settlement_pays_is_part_of_the_trip_that_was_open_then() -> None:
    # Given two bought, and one of them sold a moment after the settlement
    trip = RoundTrip()
    trip.on_trade(trade(BUY, "2", "100", time_ns=5))
    trip.on_trade(trade(SELL, "1", "100", time_ns=11))
    # If its line comes now, I expect the open part to take its half and the trip all of it
    trip.on_settlement(Decimal(-3), Decimal(2), 10)
    assert trip.open_costs == Decimal("1.5")
    successor = RoundTrip()
    successor.resume(trip.state)
    assert successor.on_trade(trade(SELL, "1", "101", time_ns=12)) == Decimal(-2)
    assert successor.losses == 1
    # and the next trip to have nothing of it
    successor.on_trade(trade(BUY, "1", "100", time_ns=13))
    successor.on_settlement(Decimal(-3), Decimal(2), 10)
    assert (successor.open_costs, successor.begun_ns) == (0, 13)
