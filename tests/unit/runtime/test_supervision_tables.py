"""What the supervisor reads for people must survive an actor that was killed while it wrote."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO, cast

import pytest
from rich.console import Console

from domain.codes import HedgeState, OffReason, RiskReason
from domain.order import TradingState
from domain.records import ACCOUNT, LIMITS, RISK, WISH
from runtime.session import SessionSegments
from runtime.supervision.outlet import Outlet
from runtime.supervision.screen import (
    OFF_WORDS,
    StatusScreen,
    latency_words,
    pnl_words,
    quoted_words,
    sides_words,
    status_block,
    status_line,
    status_lines,
    summary_lines,
)
from runtime.supervision.status import StatusReader
from runtime.supervision.summary import quoted_ratios, read_counters, read_latencies
from runtime.topology import Topology, spec_of
from shm import layout
from shm.histogram import Histogram
from shm.record import TableWriter
from shm.ring import RingWriter

NAMES = ("BTC-PERPETUAL", "ETH-PERPETUAL")


@pytest.fixture
def segments() -> Iterator[SessionSegments]:
    found = SessionSegments(f"tables-{os.getpid()}", NAMES)
    found.create()
    yield found
    found.unlink()


def write_account(segments: SessionSegments, row: int, *, quoted_ns: int, allowed_ns: int) -> None:
    writer = TableWriter(segments["accounts"])
    writer.ints[ACCOUNT.word("session_time_ns")] = 1_000
    writer.ints[ACCOUNT.word("accounted_time_ns")] = 1_000 + allowed_ns
    for side in ("bid", "ask"):
        writer.ints[ACCOUNT.word(f"{side}_quoted_ns")] = quoted_ns
        writer.ints[ACCOUNT.word(f"{side}_allowed_ns")] = allowed_ns
    writer.publish(row)


def kill_writer_inside(segments: SessionSegments, row: int) -> None:
    segments["accounts"].words[(layout.HEADER_BYTES + row * ACCOUNT.size_bytes) >> 3] |= 1


def test_ratios_leave_out_a_row_whose_writer_was_killed_inside_it(segments: SessionSegments) -> None:
    write_account(segments, 0, quoted_ns=90, allowed_ns=100)
    write_account(segments, 1, quoted_ns=0, allowed_ns=100)
    kill_writer_inside(segments, 1)
    ratio, raw = quoted_ratios(segments, len(NAMES))
    assert ratio == raw == {"bid": 0.9, "ask": 0.9}


def test_the_status_is_shown_while_a_row_cannot_be_read(segments: SessionSegments) -> None:
    write_account(segments, 0, quoted_ns=90, allowed_ns=100)
    kill_writer_inside(segments, 0)
    status = StatusReader("test", segments, ()).read(10**9)
    assert status["quoted_time_ratio"] == {"bid": 0.0, "ask": 0.0}
    assert "risk not heard of yet" in status_line(status)


def test_the_status_tells_the_newest_terms_of_each_instrument_among_thousands(segments: SessionSegments) -> None:
    for row in range(len(NAMES)):
        write_account(segments, row, quoted_ns=0, allowed_ns=1)
    instruments = TableWriter(segments["instruments"])
    instruments.scratch["tick_size"], instruments.scratch["lot_size"] = 1.0, 0.001
    explanations = RingWriter(segments["explanations"])
    reader = StatusReader("test", segments, ())

    def explain(row: int, count: int, first: int) -> None:
        for number in range(first, first + count):
            explanations.scratch["instrument"], explanations.scratch["fair_price"] = row, number
            explanations.publish()

    def fair_prices() -> list[float]:
        status = reader.read(10**9)["instruments"]
        return [status[name]["fair_price"] for name in NAMES]

    for row in range(len(NAMES)):
        instruments.publish(row)
    explain(1, 10, 100)
    explain(0, 20_000, 1000)  # more than the ring keeps: the other is overtaken
    explain(1, 10, 200)
    assert fair_prices() == [20_999.0, 209.0]
    explain(0, 1, 5)
    assert fair_prices() == [5.0, 209.0]  # the other's are those of the look before


def test_the_status_says_that_a_changed_instrument_waits_for_a_restart(segments: SessionSegments) -> None:
    instruments, limits = TableWriter(segments["instruments"]), TableWriter(segments["limits"])
    for row in range(len(NAMES)):
        write_account(segments, row, quoted_ns=90, allowed_ns=100)
        instruments.scratch["tick_size"], instruments.scratch["lot_size"] = 1.0, 0.001
        instruments.scratch["is_ready"] = 1
        instruments.publish(row)
    reader = StatusReader("test", segments, ())
    assert " off: " not in status_line(reader.read(10**9))
    # If market_data switches one off, and risk the other
    instruments.scratch["is_ready"], instruments.scratch["off_reason"] = 0, OffReason.INSTRUMENT_CHANGED
    instruments.publish(0)
    limits.ints[LIMITS.word("reason")] = RiskReason.INSTRUMENT_OFF
    limits.publish(1)
    status = reader.read(10**9)
    for name in NAMES:
        assert f"{name} off: " in status_line(status)
        assert "restart the session to take" in status["instruments"][name]["instrument_off"]
    assert sum("restart the session to take" in line for line in status_lines(status)) == 2
    console = Console(file=io.StringIO(), width=200)
    console.print(status_block(status))
    assert console.file.getvalue().count("restart the session to take") == 2  # type: ignore[attr-defined]


def write_risk(segments: SessionSegments, state: TradingState, reason: RiskReason, *, is_latched: bool) -> None:
    writer = TableWriter(segments["risk"])
    writer.ints[RISK.word("state")], writer.ints[RISK.word("reason")] = state, reason
    writer.ints[RISK.word("is_kill_latched")] = is_latched
    writer.publish(0)


@pytest.mark.parametrize(
    ("state", "reason", "is_latched", "expected"),
    [
        (TradingState.HALTED, RiskReason.KILL, True, "risk halted (kill) until `./cli.py resume -s test`"),
        (TradingState.REDUCING, RiskReason.OPERATOR, False, "risk reducing (operator) until `./cli.py resume"),
        (TradingState.HALTED, RiskReason.STARTING, False, "risk halted (starting) ·"),
        (TradingState.ACTIVE, RiskReason.NONE, False, "risk active ·"),
    ],
)
def test_the_status_line_says_why_nothing_is_quoted_and_what_ends_a_latch(
    segments: SessionSegments, state: TradingState, reason: RiskReason, is_latched: bool, expected: str
) -> None:
    write_risk(segments, state, reason, is_latched=is_latched)
    reader = StatusReader("test", segments, ())
    assert expected in status_line(reader.read(10**9))
    assert bool(reader.held_back()) == ("resume" in expected)


@pytest.mark.parametrize(
    ("state", "reason", "room", "expected"),
    [
        (TradingState.RECOVERING, RiskReason.NONE, 1e5, "recovering: positions up to 0.02, orders up to 0.005 for now"),
        (TradingState.HALTED, RiskReason.LOSS_OF_DAY, 1e5, "halted (loss_of_day)"),
        (TradingState.REDUCING, RiskReason.OPERATOR, 1e5, "reducing (operator): this side would add to the position"),
        (TradingState.ACTIVE, RiskReason.NONE, 0.0, "no room left (margin_use)"),
        (TradingState.ACTIVE, RiskReason.NONE, 5e4, "positions up to 0.02, 50,000 $ more in all, prices 90 to 110"),
    ],
)
def test_the_status_says_what_of_risk_takes_a_side_away(
    segments: SessionSegments, state: TradingState, reason: RiskReason, room: float, expected: str
) -> None:
    # Given an instrument that quotes, and a wish whose asks risk took away
    instruments, limits, wishes = (TableWriter(segments[name]) for name in ("instruments", "limits", "wishes"))
    write_account(segments, 0, quoted_ns=90, allowed_ns=100)
    instruments.scratch["tick_size"], instruments.scratch["lot_size"] = 1.0, 0.001
    instruments.scratch["is_ready"] = 1
    instruments.publish(0)
    wishes.ints[WISH.word("ask_off_reason")] = OffReason.RISK
    wishes.publish(0)
    # If the limits say why
    told = {"position_lots_max": 20, "order_lots_max": 5, "room_reason": RiskReason.MARGIN_USE, "state": state}
    told |= {"reason": reason, "written_time_ns": time.monotonic_ns()}
    for name, value in told.items():
        limits.ints[LIMITS.word(name)] = value
    for name, price in {"gross_notional_room": room, "collar_low": 90.0, "collar_high": 110.0}.items():
        limits.floats[LIMITS.word(name)] = price
    limits.publish(0)
    # I expect the reason beside the side, and nothing beside the other
    lines = status_lines(StatusReader("test", segments, ()).read(10**9))
    assert f"  asks: off (risk: {expected})" in lines
    assert "  bids: on its way" in lines
    line = status_line(StatusReader("test", segments, ()).read(10**9))
    assert f"BTC-PERPETUAL bid on its way, ask off (risk: {expected}), position 0, fills 0" in line


def test_every_reason_for_an_empty_side_has_words() -> None:
    assert set(OFF_WORDS) == {reason.name.lower() for reason in OffReason} - {"quoted"}


def test_the_progress_line_says_in_words_which_side_is_off_and_why() -> None:
    found = {"bids": [[99.0, 1.0]], "asks": [], "ask_off": "position_limit"}
    assert sides_words(found) == "bid 99, ask off (the position is at the strategy's limit)"
    assert sides_words({"bids": [], "asks": [], "bid_off": "paused", "ask_off": "paused"}) == "bid and ask off (paused)"


def test_the_status_shows_what_execution_alone_knows(segments: SessionSegments) -> None:
    status = StatusReader("test", segments, ()).read(10**9)
    assert not any(line.startswith("execution:") for line in status_lines(status))
    said = status_lines({**status, "execution": "0 orders live; BTC-PERPETUAL: the journal fails"})
    assert "execution: 0 orders live; BTC-PERPETUAL: the journal fails" in said


def test_quoted_time_names_its_sides() -> None:
    raw, allowed = {"bid": 0.7474, "ask": 0.9999}, {"bid": 1.0, "ask": 0.5}
    said = quoted_words({"quoted_time_ratio_raw": raw, "quoted_time_ratio": allowed})
    assert said == "on the book: bids 74.7%, asks 99.9%; while allowed: bids 100.0%, asks 50.0%"


def test_fees_have_one_sign_wherever_they_are_shown() -> None:
    parts = {"realised": "1", "unrealised": "0.5", "fees": "2.51", "funding": "0", "total": "-1.01"}
    assert pnl_words(parts).endswith("funding +0.00, fees paid 2.51 $")
    assert pnl_words({**parts, "fees": "-0.3"}).endswith("fees paid -0.30 $")
    ended = {
        "seconds": 1.0, "ticks": 1, "wishes": 1, "orders": {}, "fills": 1, "open_orders_at_exit": 0, "restarts": {},
        "quoted_time_ratio": {"bid": 1.0, "ask": 1.0}, "quoted_time_ratio_raw": {"bid": 1.0, "ask": 1.0},
        "pnl": parts, "fees": "2.51", "position": {"BTC-PERPETUAL": "0"}, "latency_us": {"tick_to_order": None},
    }  # fmt: skip
    assert "P&L -1.01 $ net, fees paid 2.51 $; position BTC-PERPETUAL 0" in summary_lines(ended, Path("run"))


def test_a_summary_does_not_promise_what_was_not_measured() -> None:
    assert latency_words(None) == "tick to order: nothing measured yet"
    assert latency_words({"n": 0}, is_over=True) == "tick to order: nothing measured"


def test_the_status_says_that_risk_is_silent(segments: SessionSegments) -> None:
    instruments, limits, wishes = (TableWriter(segments[name]) for name in ("instruments", "limits", "wishes"))
    write_account(segments, 0, quoted_ns=90, allowed_ns=100)
    instruments.publish(0)
    wishes.ints[WISH.word("bid_off_reason")] = OffReason.RISK
    wishes.publish(0)
    limits.ints[LIMITS.word("written_time_ns")] = time.monotonic_ns() - 3 * 10**9
    limits.publish(0)
    assert any(
        line.startswith("  bids: off (risk: silent for 3.")
        for line in status_lines(StatusReader("test", segments, ()).read(0))
    )


@pytest.mark.parametrize("open_pair", [os.pipe, os.openpty])
def test_the_screen_outlives_its_terminal(segments: SessionSegments, open_pair: Callable[[], tuple[int, int]]) -> None:
    # Given a terminal whose window was closed (EIO), or a pipe whose reader has ended (EPIPE)
    read_fd, write_fd = open_pair()
    os.close(read_fd)
    with os.fdopen(write_fd, "w") as stream:
        outlet = Outlet(stream)
        console = Console(file=cast(TextIO, outlet), force_terminal=open_pair is os.openpty)
        reader = StatusReader("test", segments, ())
        with StatusScreen(console, "test") as screen:
            for now_ns in (1, 10**12):
                screen.show_if_due(now_ns, lambda: reader.read(10**9))
        began_s = time.monotonic()
        outlet.close(10.0)
        assert time.monotonic() - began_s < 5.0  # it has nobody to wait for


def test_stages_and_wishes_of_several_strategies_are_counted_together() -> None:
    owner = SessionSegments(f"tables2-{os.getpid()}", Topology(NAMES, {"BTC": NAMES[:1], "ETH": NAMES[1:]}))
    owner.create()
    try:
        row = spec_of("strategy").stages.index("quote")
        for actor, count in (("strategy.BTC", 3), ("strategy.ETH", 2)):
            histogram = Histogram(owner[f"latency.{actor}"], row)
            for _ in range(count):
                histogram.record(1000 * count)
        found = read_latencies(owner)["quote"]
        assert found.samples == 5
        assert found.max_ns == 3000
        assert {"strategy.BTC", "strategy.ETH"} < set(read_counters(owner))
    finally:
        owner.unlink()


def test_a_hedge_is_shown_with_its_net_delta_its_band_and_what_it_is_at() -> None:
    owner = SessionSegments(f"tables3-{os.getpid()}", Topology(NAMES, hedges=["BTCUSD", "ETHUSD"]))
    owner.create()
    try:
        table = TableWriter(owner["hedges"])
        scratch = table.scratch
        scratch["state"], scratch["net_delta"], scratch["band"], scratch["hedges"] = HedgeState.UNDER_WAY, 0.07, 0.05, 3
        table.publish(0)
        status = StatusReader("test", owner, ()).read(10**9)
        lines = status_lines(status)
        said = "BTCUSD: net delta +0.07, band 0 ± 0.05, hedge in BTC-PERPETUAL under way, 3 so far"
        assert said in lines
        assert "ETHUSD: hedge not heard of yet" in lines
    finally:
        owner.unlink()
