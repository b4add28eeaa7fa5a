"""What the exchange does with our account: funding, margin, the count of our messages; and latencies drawn by chance.

Funding runs second by second, as on Thalex, or is paid at the multiples of an interval; the notional is the position
at the mid. Margin is looked at with every sample: where the account is worth less than a position needs, the exchange
cancels everything, closes the position at the market, and takes no more orders.
"""

from __future__ import annotations

from backtest.engine.records import LATENCY_STEPS
from backtest.engine.weave import EMPTY_ASK, EMPTY_BID
from domain.clock import NS_PER_S
from domain.jit import Array, Record, kernel

_FEE_POINTS = 1e8


@kernel
def market_mid(venue: Record) -> float:
    """Return the mid of the recorded market, ticks; 0 when a side is empty."""
    bid = venue["market_bid_ticks"]
    ask = venue["market_ask_ticks"]
    return 0.5 * (bid + ask) if bid != EMPTY_BID and ask != EMPTY_ASK else 0.0


@kernel
def reckon_funding(venue: Record, now_ns: int) -> None:
    """Charge the funding since it was last reckoned, on the position of that time: call before it changes."""
    before_ns = venue["funding_time_ns"]
    venue["funding_time_ns"] = max(before_ns, now_ns)
    if venue["funding_rate"] == 0.0 or before_ns == 0 or now_ns <= before_ns:
        return
    interval_ns = venue["funding_interval_ns"]
    due_ns = now_ns - before_ns
    if interval_ns > 0:
        due_ns = (now_ns // interval_ns - before_ns // interval_ns) * interval_ns
    paid = venue["position_lots"] * market_mid(venue) * venue["funding_rate"] * due_ns * _FEE_POINTS
    venue["funding"] += int(paid + 0.5) if paid >= 0.0 else -int(0.5 - paid)


@kernel
def is_margin_used_up(venue: Record) -> bool:
    """Return whether the account is worth less than its position needs."""
    mid = market_mid(venue)
    if venue["maintenance"] == 0.0 or mid == 0.0 or venue["position_lots"] == 0:
        return False
    paid = (venue["fees"] + venue["funding"]) / _FEE_POINTS
    worth = venue["balance"] + venue["cash"] - paid + venue["position_lots"] * mid
    return bool(worth < abs(venue["position_lots"]) * mid * venue["maintenance"])


@kernel
def may_come(venue: Record, bucket: int, now_ns: int) -> bool:
    """Return whether the venue takes one more message of a kind now, and count it."""
    if venue["rate_per_s"][bucket] == 0:
        return True
    elapsed_ns = now_ns - venue["bucket_time_ns"]
    venue["bucket_time_ns"] = now_ns
    for i in range(len(venue["bucket"])):
        full = venue["burst"][i] * NS_PER_S
        gained = full if elapsed_ns >= 3600 * NS_PER_S else elapsed_ns * venue["rate_per_s"][i]
        venue["bucket"][i] = min(full, venue["bucket"][i] + gained)
    if venue["bucket"][bucket] < NS_PER_S:
        return False
    venue["bucket"][bucket] -= NS_PER_S
    return True


@kernel
def drawn(owner: Record, steps: Array) -> int:
    """Return one of the quantiles of a latency, all equally likely; the same seed gives the same row of them."""
    owner["seed"] = (owner["seed"] * 1_103_515_245 + 12_345) % 2_147_483_648
    return int(steps[(owner["seed"] >> 11) % LATENCY_STEPS])
