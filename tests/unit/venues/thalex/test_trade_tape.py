"""A public trade is told once, and what nobody can tell any more is said to be missing."""

from __future__ import annotations

import random

import pytest

from venues.thalex.market_wire import PublicTrade, stamp_ns
from venues.thalex.trade_tape import KEPT_MAX, Key, News, TradeTape

T0 = 1795223039.0


def _trade(number: float, price: float = 100.0, size: float = 0.3) -> PublicTrade:
    return PublicTrade(price, size, "buy", T0 + number)


def _trades(*numbers: float) -> list[PublicTrade]:
    return [_trade(number) for number in numbers]


def _key(trade: PublicTrade) -> Key:
    return stamp_ns(trade.time), trade.price, trade.size, trade.aggressor


def _told(*numbers: float) -> list[Key]:
    return [_key(_trade(number)) for number in numbers]


def _begun(*numbers: float) -> TradeTape:
    """Return a tape whose first subscription began with these trades."""
    tape = TradeTape()
    assert tape.take_snapshot(_trades(*numbers)) == News([])
    return tape


def test_the_first_snapshot_is_history_and_later_messages_are_news():
    tape = _begun(0, 1)
    assert tape.take(_trades(2)) == _told(2)


def test_a_message_told_twice_is_one():
    tape = _begun(0)
    assert tape.take(_trades(1, 2)) == _told(1, 2)
    assert tape.take(_trades(1, 2)) == []


def test_equal_trades_of_one_message_are_several():
    tape = _begun(0)
    assert tape.take(_trades(1, 1, 1)) == _told(1, 1, 1)
    # the snapshot after a reconnect tells all three again, and one that we missed
    assert tape.take_snapshot(_trades(0, 1, 1, 1, 4)) == News(_told(4))


def test_equal_trades_of_which_we_heard_some_are_completed():
    tape = _begun(0)
    tape.take(_trades(1))
    assert tape.take_snapshot(_trades(0, 1, 1)) == News(_told(1))


def test_trades_missed_during_an_outage_are_fetched_in_order():
    tape = _begun(0)
    tape.take(_trades(1))
    assert tape.take_snapshot(_trades(0, 1, 2, 3, 4)) == News(_told(2, 3, 4))


def test_a_snapshot_that_does_not_reach_back_is_a_gap():
    tape = _begun(0)
    tape.take(_trades(1))
    assert tape.take_snapshot(_trades(7, 8)) == News(_told(7, 8), is_gap=True)
    assert tape.take_snapshot(_trades(8)) == News([])
    assert tape.take_snapshot([]) == News([], is_gap=True)


def test_an_outage_without_trades_costs_nothing():
    assert _begun(0, 1).take_snapshot(_trades(0, 1)) == News([])
    assert _begun().take_snapshot([]) == News([])


def test_history_from_before_we_listened_stays_history():
    tape = _begun(5, 6)
    # a longer snapshot this time: it reaches further back than the first
    assert tape.take_snapshot(_trades(3, 4, 5, 6, 7)) == News(_told(7))


def test_a_restarted_process_goes_on_from_what_was_published():
    tape = TradeTape()
    tape.resume(_told(1, 2, 2))
    assert tape.take_snapshot(_trades(0, 1, 2, 2, 3)) == News(_told(3))
    fresh = TradeTape()
    fresh.resume([])
    assert fresh.take_snapshot(_trades(0)) == News([])


def test_memory_is_bounded_and_what_is_forgotten_stays_told():
    tape = _begun()
    for number in range(3 * KEPT_MAX):
        assert len(tape.take(_trades(number))) == 1
        assert len(tape._recent) + len(tape._older) <= KEPT_MAX
    assert tape.take_snapshot(_trades(10, 3 * KEPT_MAX)).trades == _told(3 * KEPT_MAX)


@pytest.mark.parametrize("seed", range(20))
def test_two_connections_and_any_outages_tell_each_trade_once(seed: int):
    rng = random.Random(seed)
    clock = 0.0
    messages: list[list[PublicTrade]] = []
    for _ in range(300):
        clock += rng.choice([0.001, 0.5])
        sweep = [_trade(clock, rng.choice([100.0, 101.0]), rng.choice([0.1, 0.2])) for _ in range(rng.randint(1, 4))]
        messages.append(sweep)
    tape = _begun()
    told: list[Key] = []
    heard_until = [0, 0]  # of each connection
    for now in range(1, len(messages) + 1):
        for link in (0, 1):
            if rng.random() < 0.05:  # broken and made anew: the snapshot has everything, and nothing twice
                history = [trade for message in messages[max(0, now - 40) : now] for trade in message]
                told += tape.take_snapshot(history).trades
                heard_until[link] = now
            elif rng.random() < 0.7:
                for message in messages[heard_until[link] : now]:
                    told += tape.take(message)
                heard_until[link] = now
    told += tape.take_snapshot([trade for message in messages[-40:] for trade in message]).trades
    assert sorted(told) == sorted(_key(trade) for message in messages for trade in message)
