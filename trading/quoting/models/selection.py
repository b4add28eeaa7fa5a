"""Which model an instrument quotes with, and what it says at the position held.

Models with a closed form are worked out on every quote. The others are solved for every position at once, beside the
ticks (`solve_if_moved`), and looked up; while the first solution is not there yet they say nothing.
"""

from __future__ import annotations

import math

import numpy as np

from domain.codes import ClampFlag
from domain.jit import Array, Record, kernel, kernel_with_arrays
from trading.quoting.models.avellaneda_stoikov import avellaneda_stoikov
from trading.quoting.models.glft import glft, glft_drift_shift
from trading.quoting.models.value_table import (
    cartea_jaimungal_system,
    depths_at,
    exact_system,
    is_solvable,
    solve_log_value,
    write_depths,
)
from trading.quoting.records import AVELLANEDA_STOIKOV, CARTEA_JAIMUNGAL, GLFT

_TABLE_EXCEEDED = int(ClampFlag.TABLE_EXCEEDED)
_DRIFT_BOUNDED = int(ClampFlag.DRIFT_BOUNDED)

# Order of TABLE_INPUTS (trading/quoting/records.py).
_MODEL, _ORDERS, _ORDER_SIZE, _TERMINAL, _XI_IS_GAMMA = 0, 1, 2, 3, 4
_SIGMA, _RATE, _DECAY, _GAMMA, _XI, _RUNNING, _HORIZON, _DRIFT = 5, 6, 7, 8, 9, 10, 11, 12
_EXACT_INPUTS = 5


@kernel
def model_quote(params: Record, table: Record, terms: Record, sigma: float, rate: float, decay: float) -> None:
    """Write half-spread, skew and drift shift ($) of the model for γ, τ, μ and the inventory in `terms`.

    `rate` may differ from the one in `terms`, where market impact lowers it. NaN where an input is no use.
    """
    gamma = terms["risk_aversion"]
    xi = gamma if params["xi"] < 0.0 else params["xi"]
    model = params["model"]
    order_size = params["order_size"]
    drift = terms["drift"]
    drift_shift = 0.0
    table["is_wanted"] = 0
    if model in (GLFT, AVELLANEDA_STOIKOV):
        if model == GLFT:
            half_spread, skew_per_unit = glft(sigma, rate, decay, gamma, xi, order_size)
            if drift != 0.0:
                drift_shift = glft_drift_shift(skew_per_unit, sigma, gamma, drift)
        else:
            half_spread, skew_per_unit = avellaneda_stoikov(sigma, decay, gamma, order_size, terms["horizon_s"])
            drift_shift = drift * terms["horizon_s"]
        skew = -skew_per_unit * terms["inventory"]
    else:
        _want(params, table, terms, sigma, rate, decay, xi)
        half_spread, skew, drift_shift, skew_per_unit = _look_up(table, terms, order_size)
    terms["half_spread_model"] = half_spread
    terms["skew_per_unit"] = skew_per_unit * params["inventory_weight"]
    terms["skew"] = skew * params["inventory_weight"]
    terms["drift_shift"] = _bounded_drift(params, terms, drift_shift, half_spread)


@kernel
def _bounded_drift(params: Record, terms: Record, shift: float, half_spread: float) -> float:
    if not half_spread > 0.0:
        return math.nan
    largest = params["drift_half_spreads_max"] * half_spread
    bounded = min(max(shift, -largest), largest)
    if bounded != shift:
        terms["clamp_flags"] |= _DRIFT_BOUNDED
    return float(bounded)


@kernel
def _want(
    params: Record, table: Record, terms: Record, sigma: float, rate: float, decay: float, xi: float
) -> None:  # fmt: skip
    """Say what the grid has to be solved for."""
    gamma = terms["risk_aversion"]
    running = params["running_penalty"]
    wanted = table["wanted"]
    wanted[_MODEL] = params["model"]
    wanted[_ORDERS] = params["grid_orders"]
    wanted[_ORDER_SIZE] = params["order_size"]
    wanted[_TERMINAL] = params["terminal_penalty"]
    wanted[_XI_IS_GAMMA] = 1.0 if params["xi"] < 0.0 else 0.0
    wanted[_SIGMA] = sigma
    wanted[_RATE] = rate
    wanted[_DECAY] = decay
    wanted[_GAMMA] = gamma
    wanted[_XI] = xi
    wanted[_RUNNING] = 0.5 * gamma * sigma * sigma if running < 0.0 else running
    wanted[_HORIZON] = terms["horizon_s"]
    wanted[_DRIFT] = terms["drift"]
    table["is_wanted"] = 1


@kernel
def _look_up(table: Record, terms: Record, order_size: float) -> tuple[float, float, float, float]:
    """Return (half-spread, skew, drift shift, skew for each base unit) from the solved grid, $."""
    nodes = int(table["nodes"])
    if nodes == 0 or table["solved"][_MODEL] != table["wanted"][_MODEL]:
        return math.nan, math.nan, math.nan, math.nan
    held = terms["inventory"] / order_size
    half_spread, shift, slope, is_on_grid = depths_at(table["bid_depth"], table["ask_depth"], nodes, held)
    _, flat_shift, _, _ = depths_at(table["bid_depth"], table["ask_depth"], nodes, 0.0)
    if not is_on_grid:
        terms["clamp_flags"] |= _TABLE_EXCEEDED
    return half_spread, shift - flat_shift, flat_shift, -slope / order_size


@kernel
def has_moved(wanted: Array, solved: Array, tolerance: float) -> bool:
    """Return whether the inputs wanted are too far from those of the solution."""
    for i in range(_EXACT_INPUTS):
        if wanted[i] != solved[i]:
            return True
    for i in range(_EXACT_INPUTS, _DRIFT):
        if abs(wanted[i] - solved[i]) > tolerance * solved[i]:
            return True
    # A drift counts as a position of μ/(γσ²); a part of one order is the measure.
    order_worth = solved[_GAMMA] * solved[_SIGMA] * solved[_SIGMA] * solved[_ORDER_SIZE]
    return bool(abs(wanted[_DRIFT] - solved[_DRIFT]) > tolerance * order_worth)


@kernel_with_arrays
def solve_if_moved(params: Record, table: Record) -> bool:
    """Solve the grid for the inputs of the last quote if they moved; return whether there is a new solution.

    Never on a tick: a large grid takes a millisecond. Inputs that are no use leave no solution.
    """
    wanted = table["wanted"]
    if table["is_wanted"] != 1:
        return False
    if table["nodes"] > 0 and not has_moved(wanted, table["solved"], params["table_tolerance"]):
        return False
    if not is_solvable(
        wanted[_SIGMA], wanted[_RATE], wanted[_DECAY], wanted[_GAMMA], wanted[_ORDER_SIZE], wanted[_HORIZON]
    ):
        table["nodes"] = 0
        return False
    nodes = 2 * int(wanted[_ORDERS]) + 1
    diagonal = np.empty(nodes)
    value = np.empty(nodes)
    log_value = np.empty(nodes)
    flow, c = _write_system(wanted, diagonal, value)
    solve_log_value(diagonal, value, flow, wanted[_HORIZON], log_value)
    write_depths(log_value, wanted[_DECAY], c, table["bid_depth"], table["ask_depth"])
    table["solved"][:] = wanted
    table["nodes"] = nodes
    table["solves"] += 1
    return True


@kernel
def _write_system(wanted: Array, diagonal: Array, value: Array) -> tuple[float, float]:
    """Write the system of the model wanted; return (up = down in 1/s, c in $)."""
    if wanted[_MODEL] == CARTEA_JAIMUNGAL:
        return cartea_jaimungal_system(
            diagonal, value, wanted[_RATE], wanted[_DECAY], wanted[_RUNNING], wanted[_TERMINAL],
            wanted[_ORDER_SIZE], wanted[_DRIFT],
        )  # fmt: skip
    return exact_system(
        diagonal, value, wanted[_SIGMA], wanted[_RATE], wanted[_DECAY], wanted[_GAMMA], wanted[_XI],
        wanted[_ORDER_SIZE], wanted[_DRIFT],
    )  # fmt: skip
