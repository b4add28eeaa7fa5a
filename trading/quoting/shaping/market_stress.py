"""Market stress: one number from 1 (as always) to `market_stress_max`.

    stress = ∛( spread / usual spread  ·  usual depth / depth  ·  σ / usual σ )      held within [1, max]

Spread and depth (the size on all visible levels, ours left out) of now are averages over `stress_fast_s`; the usual
ones, and that of σ, over `stress_slow_s`. Unknown parts count as usual.
"""

from __future__ import annotations

from domain.jit import Record, kernel
from trading.quoting.averages import moved_average


@kernel
def update_usual_market(
    params: Record, state: Record, book: Record, account: Record, sigma: float, elapsed_s: float
) -> None:
    """Take spread, depth and σ of a usable book into their averages."""
    spread = (state["best_ask_ticks"] - state["best_bid_ticks"]) * params["tick_size"]
    depth = _visible_size(book) - _own_size(params, account)
    fast_s = params["stress_fast_s"]
    slow_s = params["stress_slow_s"]
    state["spread_fast"] = moved_average(state["spread_fast"], spread, elapsed_s, fast_s)
    state["spread_slow"] = moved_average(state["spread_slow"], spread, elapsed_s, slow_s)
    if 0.0 < depth < 1e15:
        state["depth_fast"] = moved_average(state["depth_fast"], depth, elapsed_s, fast_s)
        state["depth_slow"] = moved_average(state["depth_slow"], depth, elapsed_s, slow_s)
    if 0.0 < sigma < 1e15:
        state["sigma_slow"] = moved_average(state["sigma_slow"], sigma, elapsed_s, slow_s)


@kernel
def market_stress(params: Record, state: Record, sigma: float) -> float:
    """Return the stress, with σ ($/√s) as it is now."""
    product = (
        _ratio(state["spread_fast"], state["spread_slow"])
        * _ratio(state["depth_slow"], state["depth_fast"])
        * _ratio(sigma, state["sigma_slow"])
    )
    if not product > 1.0:
        return 1.0
    return float(min(product ** (1.0 / 3.0), params["market_stress_max"]))


@kernel
def _ratio(now: float, usual: float) -> float:
    return now / usual if now > 0.0 and usual > 0.0 else 1.0


@kernel
def _visible_size(book: Record) -> float:
    total = 0.0
    for i in range(min(book["bid_count"], len(book["bid_size"]))):
        total += book["bid_size"][i]
    for i in range(min(book["ask_count"], len(book["ask_size"]))):
        total += book["ask_size"][i]
    return total


@kernel
def _own_size(params: Record, account: Record) -> float:
    lots = 0
    for i in range(min(account["bid_count"], len(account["bid_size_lots"]))):
        lots += account["bid_size_lots"][i]
    for i in range(min(account["ask_count"], len(account["ask_size_lots"]))):
        lots += account["ask_size_lots"][i]
    return float(lots * params["lot_size"])
