"""What the simulated exchange is like: latency, queue model, fees."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from backtest.engine.records import REQUEST_KINDS, VENUE
from backtest.engine.weave import EMPTY_ASK, EMPTY_BID
from fills.queue import POWER, QueueModel

FEE_PER_BPS = 10_000  # a rate of 1 bp is 1e-4: 10,000 · 1e-8


@dataclass(frozen=True, slots=True)
class Latency:
    """One way to the exchange and back, ns, for inserts, amends, cancels, and cancels of all orders.

    Attributes:
        fill_ns: from a fill to our hearing of it.
    """

    entry_ns: tuple[int, int, int, int] = (5_000_000,) * 4
    answer_ns: tuple[int, int, int, int] = (5_000_000,) * 4
    fill_ns: int = 5_000_000

    @classmethod
    def constant(cls, entry_ns: int, answer_ns: int) -> Latency:
        """Return the same latency for every kind."""
        return cls((entry_ns,) * 4, (answer_ns,) * 4, answer_ns)


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """What the simulated exchange is like. Rebates are negative fees."""

    latency: Latency = field(default_factory=Latency)
    queue_model: QueueModel = QueueModel.POWER1
    queue_power: float = POWER
    maker_fee_bps: float = 1.0
    taker_fee_bps: float = 5.0


def new_venue(settings: VenueSettings) -> npt.NDArray[np.void]:
    """Return the state of an exchange without orders, VENUE, shape (1,)."""
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
    }.items():
        venue[name] = value
    assert venue["answer_ns"].shape[1] == REQUEST_KINDS
    return venue
