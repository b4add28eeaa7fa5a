"""Funding, margin, message rates and drawn latencies, against figures worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backtest.engine.records import FillRule, Reason
from backtest.engine.requests import LIQUIDATION_ID
from backtest.engine.venue import Latency, VenueSettings
from domain.codes import OrderEventKind
from tests.backtest_run import MARKET, ran, settings
from tests.engine_case import BUY, MS, SELL, SETTINGS, T0_NS, Orders, Tape, played

HOUR_MS = 3_600_000.0
ACCEPTED, CANCELLED, REJECTED = OrderEventKind.ACCEPTED, OrderEventKind.CANCELLED, OrderEventKind.REJECTED


def held_for(hours: float) -> tuple[Tape, Orders]:
    """Ten lots bought at 101 after ten ms, held up to the last row."""
    tape = Tape().book(0, {99: 50}, {101: 50}).bid(10 + hours * HOUR_MS, 98, 1)
    return tape, Orders().insert(10, 1, BUY, 101, 10, flags=0)


def test_longs_pay_funding_second_by_second(tmp_path: Path) -> None:
    venue = replace(SETTINGS, funding_rate_8h=0.0008)
    outcome = played(tmp_path, *held_for(2.0), venue)
    # Ten lots at the mid of 100 for two of eight hours
    assert outcome.venue["funding"][0] * 1e-8 == pytest.approx(10 * 100 * 0.0008 * 2 / 8, abs=1e-6)


def test_shorts_receive_it_and_an_interval_pays_at_its_end_alone(tmp_path: Path) -> None:
    tape = Tape().book(0, {99: 50}, {101: 50})
    to_eight_ms = (8 * HOUR_MS) - (T0_NS // MS) % (8 * HOUR_MS)
    orders = Orders().insert(10, 1, SELL, 99, 10, flags=0)
    venue = replace(SETTINGS, funding_rate_8h=0.001, funding_interval_s=28_800.0)
    before = played(tmp_path, tape.bid(to_eight_ms - 2, 98, 1), orders, venue)
    assert before.venue["funding"][0] == 0
    after = played(tmp_path, tape.bid(to_eight_ms + 1, 98, 2), orders, venue)
    assert after.venue["funding"][0] * 1e-8 == pytest.approx(-10 * 100 * 0.001)


def test_messages_beyond_the_rate_are_refused_and_the_order_goes_on(tmp_path: Path) -> None:
    venue = replace(SETTINGS, messages_per_s=2, messages_burst=2)
    tape = Tape().book(0, {99: 50}, {101: 50}).bid(2000, 98, 1)
    orders = Orders().insert(10, 1, BUY, 98, 5).amend(11, 1, 97, 5).amend(12, 1, 96, 5).insert(13, 2, BUY, 95, 1)
    orders.cancel(14, 1).insert(520, 3, BUY, 94, 1)
    answers = played(tmp_path, tape, orders, venue).answers
    told = [tuple(int(row[name]) for name in ("kind", "order_id", "price_ticks", "remaining_lots", "reason"))
            for row in answers]  # fmt: skip
    assert told[2] == (REJECTED, 1, 97, 5, Reason.RATE_LIMIT)  # and rests at 97
    assert told[3] == (REJECTED, 2, 95, 0, Reason.RATE_LIMIT)
    assert told[4][:2] == (CANCELLED, 1)  # cancels have a bucket of their own
    assert told[5][:2] == (ACCEPTED, 3)  # half a second later there is a token again


def test_a_strategy_under_a_low_rate_keeps_its_book_of_orders_right(tmp_path: Path) -> None:
    given = replace(settings(), venue=replace(settings().venue, messages_per_s=4, messages_burst=4))
    result = ran(tmp_path, given)
    assert (result.answers["reason"] == Reason.RATE_LIMIT).sum() > 20
    assert len(result.fills) > 5
    unknown = result.answers[result.answers["reason"] == Reason.UNKNOWN_ORDER]
    assert len(unknown) < len(result.fills)  # only races with fills
    assert np.abs(result.answers["position_lots"]).max() <= 50


def test_an_account_worth_less_than_its_position_needs_is_closed(tmp_path: Path) -> None:
    # Given an account of 3 $: 10 % of the 1,140 $ that its position may be is more than that
    venue = replace(settings().venue, balance_usd=3.0, maintenance_margin=0.1)
    result = ran(tmp_path, replace(settings(), venue=venue))
    closing = result.fills[result.fills["order_id"] == LIQUIDATION_ID]
    assert len(closing) > 0
    assert set(closing["rule"].tolist()) == {int(FillRule.TAKEN)}
    assert closing["position_lots"][-1] == 0 == result.venue["position_lots"][0]
    assert result.venue["is_liquidated"][0] == 1
    # Nothing of ours rests or is accepted from then on
    after = result.answers[result.answers["exchange_time_ns"] > closing["time_ns"][-1]]
    assert set(after["kind"].tolist()) <= {int(REJECTED)}
    assert result.series["own_bid_ticks"][-1] == 0


def test_latencies_are_drawn_from_those_measured(tmp_path: Path) -> None:
    latency = Latency.sampled([2 * MS, 4 * MS, 6 * MS], [7 * MS, 9 * MS])
    result = ran(tmp_path, replace(settings(), venue=VenueSettings(latency=latency)))
    told_ms = (result.answers["local_time_ns"] - result.answers["exchange_time_ns"]) / MS
    assert told_ms.min() >= 7.0
    assert told_ms.mean() == pytest.approx(8.0, abs=0.6)
    assert len(np.unique(told_ms)) > 20
    again = ran(tmp_path, replace(settings(), venue=VenueSettings(latency=latency)))
    assert again.fills_hash == result.fills_hash
    other = replace(latency, seed=2)
    assert ran(tmp_path, replace(settings(), venue=VenueSettings(latency=other))).fills_hash != result.fills_hash
    assert MARKET.latency_ns == 5 * MS
