"""A public trade is told once, and what nobody can tell any more is said to be missing."""

from __future__ import annotations

import random

import pytest

from venues.thalex.market_wire import PublicTrade, stamp_ns
from venues.thalex.trade_tape import KEPT_MAX, News, TradeTape

T0 = 1795223039.0


def _trade(number: float, price: float = 100.0, size: float = 0.3) -> PublicTrade:
    return PublicTrade(price, size, "buy", T0 + number)


def _begun(*history: PublicTrade) -> TradeTape:
    tape = TradeTape()
    assert tape.take(list(history), is_snapshot=True) == News([])
    return tape


def test_the_first_snapshot_is_history_and_later_messages_are_news():
    tape = _begun(_trade(0), _trade(1))
    assert tape.take([_trade(2)], is_snapshot=False) == News([_trade(2)])


def test_a_message_told_twice_is_one():
    tape = _begun(_trade(0))
    message = [_trade(1), _trade(2)]
    assert tape.take(message, is_snapshot=False).trades == message
    assert tape.take(message, is_snapshot=False).trades == []


def test_equal_trades_of_one_message_are_several():
    tape = _begun(_trade(0))
    sweep = [_trade(1), _trade(1), _trade(1)]
    assert tape.take(sweep, is_snapshot=False).trades == sweep
    # the snapshot after a reconnect tells all three again, and one that we missed
    assert tape.take([_trade(0), *sweep, _trade(4)], is_snapshot=True) == News([_trade(4)])


def test_equal_trades_of_which_we_heard_some_are_completed():
    tape = _begun(_trade(0))
    tape.take([_trade(1)], is_snapshot=False)
    assert tape.take([_trade(0), _trade(1), _trade(1)], is_snapshot=True) == News([_trade(1)])


def test_trades_missed_during_an_outage_are_fetched_in_order():
    tape = _begun(_trade(0))
    tape.take([_trade(1)], is_snapshot=False)
    assert tape.take([_trade(n) for n in range(5)], is_snapshot=True) == News([_trade(2), _trade(3), _trade(4)])


def test_a_snapshot_that_does_not_reach_back_is_a_gap():
    tape = _begun(_trade(0))
    tape.take([_trade(1)], is_snapshot=False)
    assert tape.take([_trade(7), _trade(8)], is_snapshot=True) == News([_trade(7), _trade(8)], is_gap=True)
    assert tape.take([_trade(8)], is_snapshot=True) == News([])
    assert tape.take([], is_snapshot=True) == News([], is_gap=True)


def test_an_outage_without_trades_costs_nothing():
    tape = _begun(_trade(0), _trade(1))
    assert tape.take([_trade(0), _trade(1)], is_snapshot=True) == News([])
    assert _begun().take([], is_snapshot=True) == News([])


def test_history_from_before_we_listened_stays_history():
    tape = _begun(_trade(5), _trade(6))
    # a longer snapshot this time: it reaches further back than the first
    assert tape.take([_trade(3), _trade(4), _trade(5), _trade(6), _trade(7)], is_snapshot=True) == News([_trade(7)])


def test_a_restarted_process_goes_on_from_what_was_published():
    def key(number: float) -> tuple[int, float, float, str]:
        return stamp_ns(T0 + number), 100.0, 0.3, "buy"

    tape = TradeTape()
    tape.resume([key(1), key(2), key(2)])
    assert tape.take([_trade(0), _trade(1), _trade(2), _trade(2), _trade(3)], is_snapshot=True) == News([_trade(3)])
    fresh = TradeTape()
    fresh.resume([])
    assert fresh.take([_trade(0)], is_snapshot=True) == News([])


def test_memory_is_bounded_and_what_is_forgotten_stays_told():
    tape = _begun()
    for number in range(3 * KEPT_MAX):
        assert len(tape.take([_trade(number)], is_snapshot=False).trades) == 1
        assert len(tape._recent) + len(tape._older) <= KEPT_MAX
    assert tape.take([_trade(10), _trade(3 * KEPT_MAX)], is_snapshot=True).trades == [_trade(3 * KEPT_MAX)]


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
    told: list[PublicTrade] = []
    heard_until = [0, 0]  # of each connection
    for now in range(1, len(messages) + 1):
        for link in (0, 1):
            if rng.random() < 0.05:  # broken and made anew: the snapshot has everything, and nothing twice
                history = [trade for message in messages[max(0, now - 40) : now] for trade in message]
                told += tape.take(history, is_snapshot=True).trades
                heard_until[link] = now
            elif rng.random() < 0.7:
                for message in messages[heard_until[link] : now]:
                    told += tape.take(message, is_snapshot=False).trades
                heard_until[link] = now
    told += tape.take([trade for message in messages[-40:] for trade in message], is_snapshot=True).trades
    expected = sorted((trade.time, trade.price, trade.size) for message in messages for trade in message)
    assert sorted((trade.time, trade.price, trade.size) for trade in told) == expected
