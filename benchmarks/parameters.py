"""The decision that both quoters make: the same GLFT parameters, written once.

Chosen so that the quotes rest some 40 ticks from the mid, behind all levels of the probe's book: nothing ever
fills, no quote is held back by our own other side, and every tick moves both quotes.
"""

from __future__ import annotations

from typing import NamedTuple


class Parameters(NamedTuple):
    """σ in $/√s, A in 1/s, κ and γ in 1/$, order size in base units."""

    sigma: float = 5.0
    arrival_rate: float = 1.0
    arrival_decay: float = 0.025
    gamma: float = 0.01
    order_size: float = 0.01


PARAMETERS = Parameters()
BACKTEST_LATENCY_NS = 10_000_000  # of orders, each way, in both backtesters
