"""The execution actor's own decisions: what it trades, and how it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from actors.execution.actor import ExecutionActor, chosen_instruments
from domain.clock import NS_PER_S
from domain.codes import SegmentKind
from domain.errors import ConfigError
from domain.instrument import InstrumentKind
from domain.records import SHARED_MARKET_DATA
from runtime.config import InstrumentConfig
from shm.record import TableReader, TableWriter
from shm.segment import create_segment
from tests.model_venue import INSTRUMENT

ROLL = replace(INSTRUMENT, name="BTC-25DEC26-PERPETUAL", kind=InstrumentKind.ROLL)
LISTED = {INSTRUMENT.name: INSTRUMENT, ROLL.name: ROLL}


def test_an_instrument_that_the_venue_does_not_trade_is_refused() -> None:
    with pytest.raises(ConfigError, match="the venue does not trade it"):
        chosen_instruments({"ETH-PERPETUAL": InstrumentConfig()}, LISTED)


def test_an_instrument_that_expired_during_the_session_does_not_end_a_restarted_execution() -> None:
    configured = {INSTRUMENT.name: InstrumentConfig()}
    assert chosen_instruments(configured, {}, {INSTRUMENT.name: INSTRUMENT}) == {INSTRUMENT.name: INSTRUMENT}


def test_a_roll_may_be_followed_and_not_quoted() -> None:
    followed = {INSTRUMENT.name: InstrumentConfig(), ROLL.name: InstrumentConfig(quote=False)}
    assert chosen_instruments(followed, LISTED) == LISTED
    with pytest.raises(ConfigError, match="a roll cannot be quoted"):
        chosen_instruments({ROLL.name: InstrumentConfig()}, LISTED)


def test_waiting_for_the_throttle_sets_one_timer_however_often_the_loop_turns() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        timers: list[float] = []
        actor = ExecutionActor(SimpleNamespace())  # type: ignore[arg-type]
        fake: Any = SimpleNamespace(do_work=lambda _now_ns: 0, throttle_wait_ns=lambda _now_ns: 5 * NS_PER_S)
        actor._core = fake
        call_later = loop.call_later

        def counted(delay: float, *rest: Any) -> asyncio.TimerHandle:
            timers.append(delay)
            return call_later(delay, *rest)

        loop.call_later = counted  # type: ignore[assignment]
        for _ in range(1000):
            actor.do_work(0)
        assert timers == [5.0]

    asyncio.run(main())


def test_a_look_for_a_wish_ends_when_strategy_has_judged_the_book_and_wishes_for_nothing_new(
    segment_name: Callable[[], str],
) -> None:
    # given: a market row of each of two instruments, as strategy left them after the tick before
    segment = create_segment(segment_name(), SegmentKind.TABLE, SHARED_MARKET_DATA, 2)
    market = TableWriter(segment)
    market.publish(0)
    actor = ExecutionActor(SimpleNamespace())  # type: ignore[arg-type]
    assert actor.has_news(), "before it has recovered nothing holds it up"
    wishes = [False]
    core: Any = SimpleNamespace(has_new_wish=lambda: wishes[0])
    actor._core = core
    actor._market = TableReader(segment)
    # if: a book is announced
    actor.on_early_ring()
    # expect: the look goes on until the row changes
    assert not actor.has_news()
    assert not actor.is_called_off()
    market.publish(1)
    assert actor.is_called_off()
    assert not actor.has_news()
    actor.on_early_ring()
    assert not actor.is_called_off(), "the next announcement counts from here"
    wishes[0] = True
    assert actor.has_news()
