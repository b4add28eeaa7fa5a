"""What the simulated exchange is like: latency, queue model, fees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from backtest.engine.records import LATENCY_STEPS, REQUEST_KINDS, VENUE
from backtest.engine.weave import EMPTY_ASK, EMPTY_BID
from fills.queue import POWER, QueueModel

EIGHT_HOURS_NS = 8 * 3600 * 10**9
FEE_PER_BPS = 10_000  # a rate of 1 bp is 1e-4: 10,000 · 1e-8


@dataclass(frozen=True, slots=True)
class Latency:
    """One way to the exchange and back, ns, for inserts, amends, cancels, and cancels of all orders.

    Attributes:
        fill_ns: from a fill to our hearing of it.
        entry_steps, answer_steps: quantiles of what was measured, at even distances; where they are given each
            message draws one of them, whatever its kind. `sampled` makes them.
        seed: of the draws.
    """

    entry_ns: tuple[int, int, int, int] = (5_000_000,) * 4
    answer_ns: tuple[int, int, int, int] = (5_000_000,) * 4
    fill_ns: int = 5_000_000
    entry_steps: tuple[int, ...] = ()
    answer_steps: tuple[int, ...] = ()
    seed: int = 1

    @classmethod
    def constant(cls, entry_ns: int, answer_ns: int) -> Latency:
        """Return the same latency for every kind."""
        return cls((entry_ns,) * 4, (answer_ns,) * 4, answer_ns)

    @classmethod
    def sampled(cls, entry_ns: Sequence[int], answer_ns: Sequence[int], seed: int = 1) -> Latency:
        """Return latencies drawn from measured ones, ns: of a recorded session, each way."""
        at = (np.arange(LATENCY_STEPS) + 0.5) / LATENCY_STEPS
        steps = [tuple(int(ns) for ns in np.quantile(measured, at)) for measured in (entry_ns, answer_ns)]
        return cls(entry_steps=steps[0], answer_steps=steps[1], seed=seed)


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """What the simulated exchange is like. Rebates are negative fees.

    Attributes:
        funding_rate_8h: part of the notional that longs pay shorts in eight hours.
        funding_interval_s: it is paid at the multiples of this time (28,800 on most venues); 0 = second by second.
        balance_usd: what the account begins with.
        maintenance_margin: part of the notional below which the account's worth may not fall; 0 = no margin stop.
        messages_per_s: inserts and amends that the venue takes, in a bucket of `messages_burst`; 0 = any number.
        cancels_per_s: the same for cancels, in a bucket of a second.
    """

    latency: Latency = field(default_factory=Latency)
    queue_model: QueueModel = QueueModel.POWER1
    queue_power: float = POWER
    maker_fee_bps: float = 1.0
    taker_fee_bps: float = 5.0
    funding_rate_8h: float = 0.0
    funding_interval_s: float = 0.0
    balance_usd: float = math.inf
    maintenance_margin: float = 0.0
    messages_per_s: int = 0
    messages_burst: int = 50
    cancels_per_s: int = 0


def new_venue(settings: VenueSettings, point_usd: float = 1.0) -> npt.NDArray[np.void]:
    """Return the state of an exchange without orders, VENUE, shape (1,); `point_usd`: $ of a tick on a lot."""
    venue = np.zeros(1, VENUE)
    latency = settings.latency
    for name, value in {
        "best_bid_ticks": EMPTY_BID,
        "best_ask_ticks": EMPTY_ASK,
        "market_bid_ticks": EMPTY_BID,
        "market_ask_ticks": EMPTY_ASK,
        "whole_bid_ticks": EMPTY_BID,
        "whole_ask_ticks": EMPTY_ASK,
        "maker_fee": round(settings.maker_fee_bps * FEE_PER_BPS),
        "taker_fee": round(settings.taker_fee_bps * FEE_PER_BPS),
        "queue_model": int(settings.queue_model),
        "queue_power": settings.queue_power,
        "answer_ns": (latency.fill_ns, *latency.answer_ns),
        "is_latency_sampled": bool(latency.answer_steps),
        "answer_steps": latency.answer_steps or 0,
        "seed": latency.seed,
        "funding_rate": settings.funding_rate_8h / EIGHT_HOURS_NS,
        "funding_interval_ns": round(settings.funding_interval_s * 1e9),
        "balance": settings.balance_usd / point_usd,
        "maintenance": settings.maintenance_margin,
        "rate_per_s": (settings.messages_per_s, settings.cancels_per_s),
        "burst": (settings.messages_burst, settings.cancels_per_s),
        "bucket": (settings.messages_burst * 10**9, settings.cancels_per_s * 10**9),
    }.items():
        venue[name] = value
    assert venue["answer_ns"].shape[1] == REQUEST_KINDS
    return venue
