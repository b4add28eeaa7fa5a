"""Clients that call everything, right and wrong: every frame as documented, and the venue's books in order."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from exchange.background.rfq_maker import RfqMaker
from exchange.background.simulation import Background
from exchange.core.events import AccountTrade, Event
from exchange.core.listing import Listing, Products
from exchange.core.orders import Side
from exchange.core.scheduler import NS_PER_MS, NS_PER_S
from tests.unit.exchange.fuzzer import PRIVATE, PUBLIC, Fuzzer

PRICES = {"BTCUSD": 100_000.0, "ETHUSD": 4_000.0}
STEPS, STEPS_SLOW = 1_200, 15_000
POOR = Decimal(3_000)


class Fees:
    """A listener that adds up what all accounts have paid."""

    def __init__(self) -> None:
        self.paid = Decimal(0)

    def on_events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, AccountTrade):
                self.paid += event.trade.fee + event.trade.liquidation_fee

    def on_book(self, instrument: Any, changes: Any) -> None:
        pass

    def on_second(self) -> None:
        pass


def world(make_desk: Any, **settings: Any) -> Any:
    """Return a desk with both underlyings and three accounts, whose indices wander when `desk.wander` is called."""
    desk = make_desk(order_rate_per_s=10**6, order_rate_with_cod_per_s=10**6, cancel_rate_per_s=10**6, **settings)
    desk.c = desk.engine.add_account("A3", POOR)  # it will be short of margin now and then
    desk.context.authenticator.register("K3", desk._private_key.public_key(), "A3")
    desk.engine.markets.clear()
    desk.engine.listing = Listing(desk.engine, Products(), PRICES)
    desk.engine.listing.refresh()
    desk.eth_price = Decimal(4_000)
    desk.engine.set_index_source("ETHUSD", lambda: desk.eth_price)
    desk.fees = Fees()
    desk.engine.add_listener(desk.fees)
    desk.engine.tick(0.0)
    return desk


def wander(desk: Any, draw: random.Random) -> None:
    desk.index_price = max(Decimal(60_000), desk.index_price + draw.randint(-60, 60))
    desk.eth_price = max(Decimal(2_000), desk.eth_price + draw.randint(-3, 3))


def run(desk: Any, fuzzers: list[Fuzzer], steps: int, seed: int) -> None:
    draw = random.Random(seed)
    for fuzzer in fuzzers:
        fuzzer.begin()
    fuzzers[0].share(fuzzers[1:])
    for step in range(steps):
        draw.choice(fuzzers).act()
        desk.scheduler.advance(50 * NS_PER_MS)
        if step % 20 == 0:
            wander(desk, draw)
        if step == steps // 2:
            desk.engine.move_clock(desk.engine.settlement.next_s - desk.scheduler.realtime_ns() / NS_PER_S + 1)
        for fuzzer in fuzzers:
            fuzzer.listen()
        check_books(desk)
    for fuzzer in fuzzers:
        fuzzer.checker.finish()


def check_books(desk: Any) -> None:
    """Expect that no book is crossed, that levels are the sum of their orders, and accounts know what rests."""
    resting: dict[tuple[str, str, Side], int] = {}
    for name, market in desk.engine.markets.items():
        bid, ask = market.book.bids.best_ticks(), market.book.asks.best_ticks()
        assert bid is None or ask is None or bid < ask, f"{name} is crossed: {bid} {ask}"
        for side in Side:
            for ticks, level in market.book.side(side).levels.items():
                lots = [order.remaining_lots for order in level.orders.values()]
                assert all(each > 0 for each in lots), f"{name} {ticks}: {lots}"
                assert sum(lots) == level.orders_lots == level.total_lots
                for order in level.orders.values():
                    assert order.is_open
                    if order.account is not None:
                        key = (order.account.number, name, side)
                        resting[key] = resting.get(key, 0) + order.remaining_lots
    for account in desk.engine.accounts.values():
        for order in account.open_orders.values():
            assert desk.engine.markets[order.instrument.name].account_orders[order.order_id] is order
        for name, lots in account.working.items():
            for side, each in zip((Side.BUY, Side.SELL), lots, strict=True):
                assert resting.pop((account.number, name, side), 0) == each
    assert not resting, f"accounts do not know of {resting}"


def check_money(desk: Any, total: Decimal) -> None:
    """Expect that what the accounts have and what they have paid in fees is what they began with, exactly."""
    equity = sum((desk.engine.equity(account) for account in desk.engine.accounts.values()), Decimal(0))
    assert equity + desk.fees.paid == total, f"{equity} + {desk.fees.paid} of {total}"
    for name in desk.engine.markets:
        lots = [account.positions[name].lots for account in desk.engine.accounts.values() if name in account.positions]
        assert sum(lots) == 0, f"{name}: {lots}"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_clients_call_frames_are_right_and_no_money_comes_or_goes(make_desk: Any, seed: int) -> None:
    fuzz(make_desk, seed, STEPS)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(10, 14))
def test_the_same_for_longer(make_desk: Any, seed: int) -> None:
    fuzz(make_desk, seed, STEPS_SLOW)


def fuzz(make_desk: Any, seed: int, steps: int) -> None:
    # Given three accounts that trade with each other alone, one with two sessions
    desk = world(make_desk, notifications_first=seed % 2 == 0)
    keys = ["K1", "K2", "K3", "K1"]
    fuzzers = [Fuzzer(desk, key, 100 * seed + index) for index, key in enumerate(keys)]
    # If they call everything there is
    run(desk, fuzzers, steps, seed)
    # I expect the documented protocol (checked on the way), unique ids, and every cent accounted for
    check_money(desk, 200_000 + POOR)
    # and still when what is open has expired
    left_s = desk.engine.market("BTC-25DEC26").instrument.expiry_time - desk.scheduler.realtime_ns() / NS_PER_S
    desk.engine.move_clock(left_s + 1)
    for fuzzer in fuzzers:
        fuzzer.listen()
    check_books(desk)
    check_money(desk, 200_000 + POOR)
    ids = [order_id for fuzzer in fuzzers for order_id in fuzzer.order_ids]
    assert len(set(ids)) == len(ids)
    assert len(ids) > steps / 20
    seen = set().union(*(fuzzer.checker.seen for fuzzer in fuzzers))
    codes = set().union(*(fuzzer.checker.codes for fuzzer in fuzzers))
    assert {name.split(".")[0] for name in PUBLIC} - {"system"} <= seen
    assert set(PRIVATE) - {"user.inbox_notifications", "account.order_history"} <= seen
    assert {1, 2, 5, 6, 14, 31} <= codes
    trades = [trade for account in desk.engine.accounts.values() for trade in account.trades]
    assert len(trades) > steps / 40
    assert {"normal", "combo", "expiration"} <= {trade.trade_type for trade in trades}


@pytest.mark.parametrize("seed", [4, 5])
def test_in_a_busy_market_every_frame_is_right(make_desk: Any, seed: int) -> None:
    desk = world(make_desk)
    background = Background(desk.engine, seed=seed)
    desk.engine.add_listener(background)
    desk.engine.add_listener(RfqMaker(desk.engine))
    background.start()
    fuzzers = [Fuzzer(desk, key, 100 * seed + index) for index, key in enumerate(("K1", "K2"))]
    run(desk, fuzzers, 500, seed)
    assert sum(fuzzer.checker.frames_total for fuzzer in fuzzers) > 5_000
