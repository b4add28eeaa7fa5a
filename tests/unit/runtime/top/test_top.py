"""What `cli.py top` makes of a session's memory."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

import shm
from domain.codes import ActorPhase, RiskReason
from domain.order import TradingState
from domain.records import ACCOUNT, INSTRUMENT, PNL, RISK, SHARED_MARKET_DATA
from runtime.heartbeats import HeartbeatWriter
from runtime.session import SessionSegments
from runtime.top import watch
from runtime.top.change import Change, change_between
from runtime.top.sample import Sampler, Usage, read_usage
from runtime.top.screen import screen_of
from runtime.topology import spec_of
from shm.histogram import Histogram
from shm.record import TableWriter
from shm.ring import RingWriter

NAME = f"top-{os.getpid()}"
BTC = "BTC-PERPETUAL"
S = 10**9


@pytest.fixture
def segments() -> Iterator[SessionSegments]:
    found = SessionSegments(NAME, (BTC,))
    found.create()
    yield found
    found.unlink()


class Watched:
    """A session with one beating strategy, looked at with a processor that we wind ourselves."""

    def __init__(self, segments: SessionSegments) -> None:
        self.segments = segments
        self.cpu_s = 1.0
        self.strategy = HeartbeatWriter(TableWriter(segments["heartbeats.strategy"]), epoch=1, core=3, now_ns=10 * S)
        self.strategy.set_phase(ActorPhase.LIVE, 10 * S)
        stage = spec_of("strategy").stages.index("quote")
        self.quote = Histogram(segments["latency.strategy"], stage)
        self.books = RingWriter(segments["books"])
        self.sampler = Sampler(shm.attach(NAME), lambda pid: Usage(self.cpu_s if pid else float("nan"), 50.0))

    def publish_instrument(self) -> None:
        instruments = TableWriter(self.segments["instruments"])
        instruments.scratch["name"] = BTC.encode()
        instruments.floats[INSTRUMENT.word("tick_size")], instruments.floats[INSTRUMENT.word("lot_size")] = 0.5, 0.001
        instruments.publish(0)
        account = TableWriter(self.segments["accounts"])
        told = {"position_lots": -20, "fill_count": 3, "bid_count": 1, "bid_price_ticks": 200_000}
        for name, value in told.items():
            account.ints[ACCOUNT.word(name)] = value
        account.publish(0)
        market = TableWriter(self.segments["market"])
        market.ints[SHARED_MARKET_DATA.word("status")] = 1
        market.floats[SHARED_MARKET_DATA.word("mid")] = 100_000.25
        market.publish(0)
        pnl = TableWriter(self.segments["pnl"])
        pnl.ints[PNL.word("is_known")], pnl.floats[PNL.word("total")] = 1, 1.5
        pnl.publish(0)
        risk = TableWriter(self.segments["risk"])
        risk.ints[RISK.word("state")], risk.ints[RISK.word("reason")] = TradingState.HALTED, RiskReason.LOSS_OF_DAY
        risk.floats[RISK.word("equity")] = -2.25
        risk.publish(0)


def shown(change: Change) -> str:
    console = Console(file=io.StringIO(), width=100, highlight=False)
    console.print(screen_of(NAME, change))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_rates_and_latencies_are_those_of_the_time_between_two_looks(segments: SessionSegments) -> None:
    # Given a session that has worked for a while
    watched = Watched(segments)
    for _ in range(50):
        watched.quote.record(900_000)
        watched.books.publish()
    before = watched.sampler.take(10 * S)
    # If in two seconds ten books come, each is quoted upon in 100 µs, and the strategy works for half of one
    for _ in range(10):
        watched.books.publish()
        watched.quote.record(100_000)
        watched.strategy.beat(12 * S - 40_000_000)
    watched.cpu_s += 0.5
    change = change_between(before, watched.sampler.take(12 * S))
    # I expect the rates of these two seconds, and nothing of the slow quotes before
    assert change.rings_per_s["books"] == 5.0
    quote = next(stage for stage in change.stages if stage.name == "quote")
    assert quote.per_s == 5.0
    assert quote.p99_us == pytest.approx(100, rel=1 / 16)
    assert quote.longest_us == 900.0
    strategy = next(actor for actor in change.actors if actor.name == "strategy")
    assert (strategy.loops_per_s, strategy.cpu_percent, strategy.silent_ms) == (5.0, 25.0, 40.0)
    assert (strategy.life, strategy.phase, strategy.core) == (1, "live", 3)


def test_an_actor_that_was_replaced_in_between_has_no_rates(segments: SessionSegments) -> None:
    watched = Watched(segments)
    before = watched.sampler.take(10 * S)
    successor = before.actors["strategy"]._replace(pid=1, loops=0, usage=Usage(0.1, 40.0))
    after = before._replace(time_ns=11 * S, actors={**before.actors, "strategy": successor})
    assert " - " in shown(change_between(before, after))


def test_the_screen_shows_prices_position_and_why_nothing_is_quoted(segments: SessionSegments) -> None:
    watched = Watched(segments)
    watched.publish_instrument()
    before = watched.sampler.take(10 * S)
    text = shown(change_between(before, watched.sampler.take(11 * S)))
    assert "risk halted (loss_of_day) · P&L -2.25 $" in text
    (row,) = [line.split() for line in text.splitlines() if line.strip().startswith(BTC)]
    assert row == [BTC, "100000", "100000.25", "-", "-0.02", "3", "+1.50"]


def test_a_session_in_which_nobody_has_spoken_yet_is_shown(segments: SessionSegments) -> None:
    sampler = Sampler(shm.attach(NAME))
    text = shown(change_between(sampler.take(1), sampler.take(S)))
    assert "risk not heard of yet · P&L not known yet" in text
    assert "market_data" in text


def test_numbers_that_are_not_known_are_null_for_programs(segments: SessionSegments) -> None:
    change = watch.look_once(shm.attach(NAME), 0.01)
    data = json.loads(watch.as_json(change))
    assert data["actors"]["strategy"]["cpu_percent"] is None
    assert data["stages"]["quote"]["p50_us"] is None
    assert data["rings_per_s"]["books"] == 0.0


def test_watching_shows_one_look_after_the_other_until_the_session_ends(segments: SessionSegments) -> None:
    # Given somebody who watches through a pipe
    session = shm.attach(NAME)
    console = Console(file=io.StringIO(), width=100)
    # If the session ends after a while
    end = threading.Timer(1.0, segments.unlink)
    end.start()
    watch.watch(session, 0.1, console)
    end.join()
    # I expect the watching to end with it
    assert session.is_closed
    assert console.file.getvalue().count(f"{NAME} · risk not heard of yet") >= 1  # type: ignore[attr-defined]


def test_what_a_process_uses_is_read_from_the_system(tmp_path: Path) -> None:
    mine = read_usage(os.getpid())
    assert mine.cpu_s > 0.0
    assert 5.0 < mine.private_mb < 5000.0
    gone = read_usage(2**30)
    assert gone.cpu_s != gone.cpu_s
