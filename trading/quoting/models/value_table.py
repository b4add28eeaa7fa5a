"""Models whose quotes come from a linear system over the positions −Q..Q orders: what it is, and how it is solved.

With n = q/Δ the position in orders, τ the time to go, and v the system's solution, the depths are::

    v' = −D·v + up·v(n+1) + down·v(n−1)          bid_depth(n) = c + ln(v(n) / v(n+1)) / κ
                                                 ask_depth(n) = c + ln(v(n) / v(n−1)) / κ

    exact Avellaneda-Stoikov    D = ½κγΔσ²·n² − κμ·n      up = down = A·(1 + x)^(−(1 + 1/x)), x = ξΔ/κ
                                v(0) = 1                  c = ln(1 + x) / (ξΔ)
    Cartea-Jaimungal            D = φΔκ·n² − κμ·n         up = down = A/e
                                v(0) = exp(−αΔκ·n²)       c = 1/κ

Sources: Guéant, Lehalle & Fernandez-Tapia (2013), MAFE 7(4), the theorem on optimal quotes, with the order size Δ
restored (κ → κ/Δ, σ → Δσ, δ → Δδ) and ξ as in Guéant (2017); Cartea, Jaimungal & Penalva (2015), chapter 10, with
running penalty φ ($ per base² and s) and terminal penalty α ($ per base²). φ = ½γσ² and α = 0 are the former with
ξ → 0. No order leads beyond ±Q: there the depth is continued in a straight line.

Solved by implicit Euler steps, a tridiagonal system each, extrapolated in the step (Romberg) on ln v: all numbers
stay positive, the steady state of a long horizon is exact, and the work is the same whatever the parameters. Against
eigenvectors the depths are right to 0.001/κ (tests/unit/trading/quoting/models/test_value_table.py).
"""

from __future__ import annotations

import math

import numpy as np

from domain.jit import Array, kernel, kernel_with_arrays
from trading.quoting.models.numbers import EXPONENT_MAX, is_positive, liquidity_term

STEPS_FIRST = 24
EXTRAPOLATIONS = 5  # runs with STEPS_FIRST · 1, 2, 4, 8, 16 steps
_VALUE_MIN = 1e-280


@kernel
def exact_system(
    diagonal: Array, value: Array, sigma: float, rate: float, decay: float, gamma: float, xi: float,
    order_size: float, drift: float,
) -> tuple[float, float]:  # fmt: skip
    """Write D and v(0) of the exact Avellaneda-Stoikov model; return (up = down in 1/s, c in $)."""
    orders = (len(diagonal) - 1) // 2
    alpha = 0.5 * decay * gamma * order_size * sigma * sigma
    for i in range(len(diagonal)):
        n = float(i - orders)
        diagonal[i] = alpha * n * n - decay * drift * n
        value[i] = 1.0
    c, log_power = liquidity_term(decay, xi, order_size)
    return rate * math.exp(-min(log_power, EXPONENT_MAX)), c


@kernel
def cartea_jaimungal_system(
    diagonal: Array, value: Array, rate: float, decay: float, running: float, terminal: float,
    order_size: float, drift: float,
) -> tuple[float, float]:  # fmt: skip
    """Write D and v(0) of Cartea and Jaimungal's model; return (up = down in 1/s, c in $)."""
    orders = (len(diagonal) - 1) // 2
    for i in range(len(diagonal)):
        n = float(i - orders)
        diagonal[i] = running * order_size * decay * n * n - decay * drift * n
        value[i] = max(math.exp(-terminal * order_size * decay * n * n), _VALUE_MIN)
    return rate * math.exp(-1.0), 1.0 / decay


@kernel_with_arrays
def solve_log_value(diagonal: Array, value: Array, flow: float, horizon_s: float, log_value: Array) -> None:
    """Write ln v(τ), up to a constant, for up = down = `flow`."""
    nodes = len(diagonal)
    # Romberg's scheme along its anti-diagonal: after run r, row r − k holds what k extrapolations made of runs up to r.
    rows = np.empty((EXTRAPOLATIONS, nodes))
    shift = 2.0 * flow - diagonal.min()  # makes every row sum positive; a common factor of v, which no depth sees
    for run in range(EXTRAPOLATIONS):
        _run(diagonal + shift, value, flow, horizon_s, STEPS_FIRST << run, rows[run])
        divisor = 1.0
        for row in range(run - 1, -1, -1):
            for i in range(nodes):
                finer = rows[row + 1, i]
                rows[row, i] = finer + (finer - rows[row, i]) / divisor
            divisor = 2.0 * divisor + 1.0  # 2^k − 1
    for i in range(nodes):
        log_value[i] = rows[0, i]


@kernel_with_arrays
def _run(diagonal: Array, value: Array, flow: float, horizon_s: float, steps: int, log_value: Array) -> None:
    """Write ln v after `steps` implicit Euler steps, centred on the middle node."""
    nodes = len(diagonal)
    coupling = horizon_s / steps * flow
    inverse = np.empty(nodes)
    upper = np.empty(nodes)
    current = value.copy()
    above = 0.0
    for i in range(nodes):
        inverse[i] = 1.0 / (1.0 + horizon_s / steps * diagonal[i] - coupling * above)
        above = coupling * inverse[i]
        upper[i] = above
    for _ in range(steps):
        carried = 0.0
        for i in range(nodes):
            carried = (current[i] + coupling * carried) * inverse[i]
            current[i] = carried
        largest = carried
        for i in range(nodes - 2, -1, -1):
            carried = current[i] + upper[i] * carried
            current[i] = carried
            largest = max(largest, carried)
        scale = 1.0 / largest
        for i in range(nodes):
            current[i] = max(current[i] * scale, _VALUE_MIN)
    middle = math.log(current[(nodes - 1) // 2])
    for i in range(nodes):
        log_value[i] = math.log(current[i]) - middle


@kernel
def write_depths(log_value: Array, decay: float, c: float, bid_depth: Array, ask_depth: Array) -> None:
    """Write both depths ($) at every node, those at the ends continued in a straight line."""
    last = len(log_value) - 1
    for i in range(last):
        bid_depth[i] = c + (log_value[i] - log_value[i + 1]) / decay
        ask_depth[i + 1] = c + (log_value[i + 1] - log_value[i]) / decay
    bid_depth[last] = 2.0 * bid_depth[last - 1] - bid_depth[last - 2]
    ask_depth[0] = 2.0 * ask_depth[1] - ask_depth[2]


@kernel
def depths_at(bid_depth: Array, ask_depth: Array, nodes: int, orders_held: float) -> tuple[float, float, float, bool]:
    """Return (half-spread, shift, slope of the shift for each order held, whether the position is on the table).

    All in $; between two nodes in a straight line, beyond the ends as at the end.
    """
    last = nodes - 1
    wanted = orders_held + 0.5 * last
    at = min(max(wanted, 0.0), float(last))
    i = min(int(at), last - 1)
    part = at - i
    bid = bid_depth[i] + part * (bid_depth[i + 1] - bid_depth[i])
    ask = ask_depth[i] + part * (ask_depth[i + 1] - ask_depth[i])
    slope = 0.5 * (ask_depth[i + 1] - bid_depth[i + 1] - ask_depth[i] + bid_depth[i])
    return 0.5 * (bid + ask), 0.5 * (ask - bid), slope, at == wanted


@kernel
def is_solvable(sigma: float, rate: float, decay: float, gamma: float, order_size: float, horizon_s: float) -> bool:
    """Return whether all inputs are positive finite numbers."""
    market = is_positive(sigma) and is_positive(rate) and is_positive(decay)
    return market and is_positive(gamma) and is_positive(order_size) and is_positive(horizon_s)
