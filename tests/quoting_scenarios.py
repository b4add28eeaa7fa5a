"""Markets in which a parameter shows: each takes a configuration and returns what a user sees of the quote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from domain.clock import NS_PER_MS, NS_PER_S
from tests.quoting_case import UNITS, Case, quote
from trading.quoting.config import QuotingConfig

FINE = UNITS._replace(tick_size=0.01)  # where an effect of a cent counts
View = dict[str, Any]
Scenario = Callable[[QuotingConfig], View]


def flat(config: QuotingConfig) -> View:
    return quote(config)


def lopsided(config: QuotingConfig) -> View:
    case = Case(config)
    case.set_book(100_000.0, 100_010.0, bid_size=9.0, ask_size=1.0)
    return case.quote()


def fine(config: QuotingConfig) -> View:
    return quote(config, units=FINE)


def long(config: QuotingConfig) -> View:
    return quote(config, position_lots=2000)


def hedged(config: QuotingConfig) -> View:
    """Long here, and as short elsewhere."""
    case = Case(config)
    case.hold(2000)
    case.net_delta = 0.0
    return case.quote()


def moving(config: QuotingConfig) -> View:
    """The mid jumps up and down by $10, an uneven number of times in each second, and rests at last."""
    case = Case(config, FINE)
    case.hold(2000)
    for i in range(40):
        case.set_book(100_000.0 + 10.0 * (i % 3 == 0), 100_001.0 + 10.0 * (i % 3 == 0))
        case.tick(170 * NS_PER_MS)
    case.set_book(100_000.0, 100_001.0)
    case.tick(2 * NS_PER_S)
    return case.quote(2 * NS_PER_S)


def trading(config: QuotingConfig) -> View:
    """Public trades go as far from the mid as an exponential law says."""
    case = Case(config, FINE)
    case.hold(2000)
    rng = np.random.default_rng(7)
    case.set_book(100_000.0, 100_001.0)
    case.tick()
    for _ in range(400):
        side = int(rng.choice([-1, 1]))
        case.trade(100_000.5 + side * (0.5 + round(rng.exponential(3.0))), side, 100 * NS_PER_MS)
        case.tick(150 * NS_PER_MS)
    return case.quote()


def flowing(config: QuotingConfig) -> View:
    """Takers buy and sell, and each unit moves the mid by some $300 a second, of which the next takes back a third."""
    case = Case(config, FINE)
    rng = np.random.default_rng(7)
    mid = before = 0.0
    for _ in range(40):
        flow = float(rng.normal(0.0, 0.1))
        case.trade(100_000.0, 1 if flow > 0 else -1, 400 * NS_PER_MS, size=abs(flow))
        mid += 300.0 * flow - 100.0 * before + rng.normal(0.0, 10.0)
        before = flow
        case.set_book(100_000.0 + mid, 100_001.0 + mid)
        case.tick(500 * NS_PER_MS)
        case.tick(100 * NS_PER_MS)
    return case.quote()


def silent(config: QuotingConfig) -> View:
    case = Case(config)
    case.tick()
    case.alive_time_ns = case.now_ns
    return case.decide(after_ns=1500 * NS_PER_MS)


def unchanged(config: QuotingConfig) -> View:
    case = Case(config)
    case.quote()
    return case.decide(after_ns=60 * NS_PER_MS)


def just_cancelled(config: QuotingConfig) -> View:
    """Our order is gone, 50 ms ago, but the book still shows it."""
    case = Case(config)
    case.set_book(99_980.0, 100_020.0)
    case.book["bid_price"][0, 0] = 100_000.0
    case.work("bid", (100_000, 1000))
    case.tick()
    case.work("bid")
    return case.quote(50 * NS_PER_MS)


def drifting(config: QuotingConfig) -> View:
    """The market moves by a single tick."""
    case = Case(config)
    case.quote()
    case.set_book(100_001.0, 100_002.0)
    return case.quote(50 * NS_PER_MS)


def referenced(config: QuotingConfig) -> View:
    """Mark far above, index below, funding paid by longs, all a second old."""
    case = Case(config, FINE)
    case.refer(mark=100_300.0, index=99_950.0, funding=1e-4, age_ns=NS_PER_S)
    return case.quote()


def premium(config: QuotingConfig) -> View:
    """The mid leaves the index behind."""
    case = Case(config, FINE)
    for bid in (100_000.0, 100_040.0, 100_040.0):
        case.refer(index=100_000.0)
        case.set_book(bid, bid + 1.0)
        case.tick(NS_PER_S)
    return case.decide()


def reshaped(config: QuotingConfig) -> View:
    """The book thins out far from the mid."""
    case = Case(config, FINE)
    case.tick()
    case.book["bid_size"][0, 3:] = case.book["ask_size"][0, 3:] = 0.01
    return case.quote(NS_PER_S)


def retuned(config: QuotingConfig) -> View:
    """γ grows by a fifth after the first quote of a long position."""
    case = Case(config, FINE)
    case.hold(2000)
    case.quote()
    case.quoter.configure(config.with_values({"risk_aversion_per_usd": 0.012}), FINE)
    return case.quote(NS_PER_S)


def jumped(config: QuotingConfig) -> View:
    """The mid rises by 1.5 %, holds for a minute, and then jumps by 3 %, seen in three books."""
    case = Case(config)
    case.tick()
    case.set_book(101_500.0, 101_501.0)
    for _ in range(7):
        case.tick(9 * NS_PER_S)
    case.set_book(104_500.0, 104_501.0)
    for _ in range(3):
        case.tick(NS_PER_MS)
    return case.decide()


def stressed(config: QuotingConfig) -> View:
    """Spread and size are as always for a minute, then worse for ten seconds."""
    case = Case(config, FINE)
    case.hold(2000)
    for _ in range(60):
        case.tick(NS_PER_S)
    case.set_book(99_990.0, 100_011.0, bid_size=0.3, ask_size=0.3)
    for _ in range(10):
        case.tick(NS_PER_S)
    return case.decide()


def signalled(config: QuotingConfig) -> View:
    """A market that rises steadily, as the signals see it."""
    case = Case(config, FINE)
    case.tick()
    case.signal(momentum=0.8, flow_imbalance=0.9, adx=50.0, trend=0.5)
    return case.decide()


def held(config: QuotingConfig) -> View:
    """A long position of five minutes."""
    case = Case(config, FINE)
    case.hold(500)
    case.quote()
    case.now_ns += 300 * NS_PER_S
    return case.quote()


def displaced(config: QuotingConfig) -> View:
    """The mid rises by 0.2 % within a second, and rests for five."""
    case = Case(config, FINE)
    for _ in range(10):
        case.tick(NS_PER_S)
    case.set_book(100_200.0, 100_201.0)
    for _ in range(5):
        case.tick(NS_PER_S)
    return case.decide()


def climbing(config: QuotingConfig) -> View:
    """The mid rises by $5 in each of 25 books."""
    case = Case(config, FINE)
    for i in range(25):
        case.set_book(100_000.0 + 5.0 * i, 100_001.0 + 5.0 * i)
        case.tick(10 * NS_PER_MS)
    return case.decide()


def filled_often(config: QuotingConfig) -> View:
    """Twelve fills of asks, then eight of bids, a second apart."""
    case = Case(config, FINE)
    for side in [-1] * 12 + [1] * 8:
        case.fill(side, NS_PER_S)
    return case.quote()


def filled_six_times(config: QuotingConfig) -> View:
    case = Case(config, FINE)
    for _ in range(6):
        case.fill(1, NS_PER_S)
    return case.quote()


def just_filled(config: QuotingConfig) -> View:
    case = Case(config)
    case.fill(1)
    return case.quote(NS_PER_S)
