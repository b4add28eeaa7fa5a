"""The four functions of a strategy: `on_book`, `on_trade`, `on_fill` and `quote`.

Live, paper and backtest run these same kernels on the records of trading/quoting/records.py. They hold no clock,
configuration, log or I/O: the same records give the same quotes.
"""

from __future__ import annotations

import math

from domain.codes import ClampFlag, OffReason
from domain.jit import Record, kernel
from domain.order import TradingState
from trading.quoting.estimators import forget_times, note_trade, roll_intervals, sigma_used, update_sigma
from trading.quoting.ladder import best_ticks, clear, fill_side, hold
from trading.quoting.models import avellaneda_stoikov, glft
from trading.quoting.records import AVELLANEDA_STOIKOV
from trading.quoting.touch import update_touch
from trading.signals.kernels import signals_on_book, signals_on_trade

_QUOTED = int(OffReason.QUOTED)
_NO_BOOK = int(OffReason.NO_BOOK)
_BOOK_STALE = int(OffReason.BOOK_STALE)
_POSITION_UNKNOWN = int(OffReason.POSITION_UNKNOWN)
_RISK = int(OffReason.RISK)
_PAUSED = int(OffReason.PAUSED)
_NOT_FINITE = int(OffReason.NOT_FINITE)
_NOT_WARM = int(OffReason.NOT_WARM)
_STOPPING = int(OffReason.STOPPING)
_FEE_FLOOR = int(ClampFlag.FEE_FLOOR)
_HALF_SPREAD_MIN = int(ClampFlag.HALF_SPREAD_MIN)
_HALF_SPREAD_MAX = int(ClampFlag.HALF_SPREAD_MAX)
_SIGMA_MIN = int(ClampFlag.SIGMA_MIN)
_SIGMA_MAX = int(ClampFlag.SIGMA_MAX)
_ARRIVALS_BOUNDED = int(ClampFlag.ARRIVALS_BOUNDED)
_HALTED = int(TradingState.HALTED)


@kernel
def on_book(
    params: Record, state: Record, signal_params: Record, signals: Record, book: Record, account: Record
) -> None:
    """Take a new book into the state: touch without our own size, σ, hypothetical quotes, signals."""
    time_ns = book["receive_time_ns"]
    if time_ns - state["book_time_ns"] > params["sigma_gap_ns_max"]:
        forget_times(state)
    update_touch(params, state, book, account, time_ns)
    state["book_time_ns"] = time_ns
    if state["is_book_usable"] != 1:
        forget_times(state)
        return
    update_sigma(params, state, time_ns)
    if params["fit_arrivals"] == 1:
        roll_intervals(params, state, time_ns)
    signals_on_book(signal_params, signals, time_ns, state["mid"])


@kernel
def on_trade(params: Record, state: Record, signal_params: Record, signals: Record, trade: Record) -> None:
    """Take a public trade into state and signals."""
    state["trades"] += 1
    signals_on_trade(
        signal_params, signals, trade["receive_time_ns"], trade["price"], trade["size"], trade["aggressor_side"]
    )
    if params["fit_arrivals"] == 1 and state["is_book_usable"] == 1:
        roll_intervals(params, state, trade["receive_time_ns"])
        note_trade(state, trade["price"], trade["aggressor_side"])


@kernel
def on_fill(params: Record, state: Record, side: int, size_lots: int, time_ns: int) -> None:
    """Take one of our own fills into the state; the position itself comes with the account record."""
    state["fills"] += 1
    state["fill_time_ns"] = time_ns
    state["fill_side"] = side
    if side > 0:
        state["bought"] += size_lots * params["lot_base"]
    else:
        state["sold"] += size_lots * params["lot_base"]


@kernel
def quote(
    params: Record,
    state: Record,
    signals: Record,
    moment: Record,
    book: Record,
    account: Record,
    limits: Record,
    ladder: Record,
    explanation: Record,
) -> None:
    """Write the quotes wanted now into `ladder`, and every term of them into `explanation`."""
    update_touch(params, state, book, account, moment["now_ns"])
    position_lots = int(account["position_lots"])
    position = position_lots * params["lot_base"]
    explanation["position_lots"] = position_lots
    explanation["position"] = position
    ladder["clamp_flags"] = 0
    half_spread, skew = _spread(params, state, ladder, explanation)
    fair = state["micro"] if params["fair_is_micro"] == 1 else state["mid"]
    inventory = _inventory(params, moment, position, explanation)
    shift = -skew * inventory
    reservation = fair + shift
    explanation["fair_price"] = fair
    explanation["reservation_price"] = reservation
    explanation["skew_per_unit"] = skew
    explanation["skew"] = shift
    reason = _both_sides_off(params, state, moment, account, limits, half_spread)
    clear(ladder, reason)
    if reason == _QUOTED:
        _build(params, state, limits, ladder, position_lots, reservation - half_spread, reservation + half_spread)
    state["quote_bid_ticks"] = ladder["bid_price_ticks"][0]
    state["quote_ask_ticks"] = ladder["ask_price_ticks"][0]
    _explain_ladder(state, ladder, explanation)


@kernel
def _inventory(params: Record, moment: Record, position: float, explanation: Record) -> float:
    """Return what the skew looks at, base units: our position, the net delta of the underlying, or a mix."""
    weight = params["underlying_inventory_weight"]
    net_delta = moment["net_delta"] if moment["is_net_delta_known"] == 1 else math.nan
    inventory = position + weight * (net_delta - position) if weight > 0.0 else position
    explanation["net_delta"] = net_delta
    explanation["inventory"] = inventory
    return inventory


@kernel
def _spread(params: Record, state: Record, ladder: Record, explanation: Record) -> tuple[float, float]:
    """Return (half-spread in $, skew in $ per base unit) after all adjustments; NaN without a usable σ."""
    raw_sigma, is_measured = sigma_used(params, state)
    sigma = min(max(raw_sigma, params["sigma_min"]), params["sigma_max"]) if raw_sigma >= 0.0 else math.nan
    flags = 0
    if sigma > raw_sigma:
        flags |= _SIGMA_MIN
    if sigma < raw_sigma:
        flags |= _SIGMA_MAX
    is_fitted = params["fit_arrivals"] == 1 and state["fits"] > 0
    rate = state["arrival_rate"] if is_fitted else params["arrival_rate_prior"]
    decay = state["arrival_decay"] if is_fitted else params["arrival_decay_prior"]
    if is_fitted and state["arrivals_bounded"] == 1:
        flags |= _ARRIVALS_BOUNDED
    gamma = params["risk_aversion"]
    order_size = params["order_size"]
    if params["model"] == AVELLANEDA_STOIKOV:
        model_half, skew = avellaneda_stoikov(sigma, decay, gamma, order_size, params["horizon_s"])
    else:
        model_half, skew = glft(sigma, rate, decay, gamma, params["xi"], order_size)
    fee_half = state["mid"] * (params["fee_maker"] + 0.5 * params["fee_margin"])
    half_spread = model_half
    if params["fee_floor"] == 1 and half_spread < fee_half:
        half_spread = fee_half
        flags |= _FEE_FLOOR
    if half_spread < params["half_spread_min"]:
        half_spread = params["half_spread_min"]
        flags |= _HALF_SPREAD_MIN
    if half_spread > params["half_spread_max"]:
        half_spread = params["half_spread_max"]
        flags |= _HALF_SPREAD_MAX
    ladder["clamp_flags"] |= flags
    explanation["sigma"] = sigma
    explanation["sigma_is_measured"] = 1 if is_measured else 0
    explanation["arrival_rate"] = rate
    explanation["arrival_decay"] = decay
    explanation["arrivals_are_measured"] = 1 if is_fitted else 0
    explanation["risk_aversion"] = gamma
    explanation["half_spread_model"] = model_half
    explanation["half_spread_fee_floor"] = fee_half
    explanation["half_spread"] = half_spread
    return half_spread, skew * params["inventory_weight"]


@kernel
def _both_sides_off(
    params: Record, state: Record, moment: Record, account: Record, limits: Record, half_spread: float
) -> int:
    """Return the OffReason that takes both sides away, or QUOTED."""
    now_ns = moment["now_ns"]
    if moment["is_stopping"] == 1:
        return _STOPPING
    if moment["instrument_off"] != _QUOTED:
        return int(moment["instrument_off"])
    if moment["is_paused"] == 1:
        return _PAUSED
    if state["is_book_usable"] != 1:
        return _NO_BOOK
    if moment["is_connected"] != 1 or now_ns - moment["alive_time_ns"] > params["book_age_ns_max"]:
        return _BOOK_STALE
    if account["is_known"] != 1:
        return _POSITION_UNKNOWN
    if params["underlying_inventory_weight"] > 0.0 and moment["is_net_delta_known"] != 1:
        return _POSITION_UNKNOWN
    if limits["state"] == _HALTED or now_ns - limits["written_time_ns"] > params["limits_age_ns_max"]:
        return _RISK
    if limits["is_position_known"] != 1:
        return _POSITION_UNKNOWN
    if params["sigma_prior"] == 0.0 and state["sigma_samples"] < params["sigma_samples_min"]:
        return _NOT_WARM
    if not (0.0 < half_spread < math.inf):
        return _NOT_FINITE
    return _QUOTED


@kernel
def _build(
    params: Record, state: Record, limits: Record, ladder: Record, position_lots: int, bid: float, ask: float
) -> None:
    """Fill the ladder around the first prices `bid` and `ask` ($)."""
    bid_ticks, ask_ticks = best_ticks(state, ladder, params["tick_size"], bid, ask)
    if ask_ticks == 0:
        clear(ladder, _NOT_FINITE)
        return
    bid_ticks, ask_ticks = hold(params, state, bid_ticks, ask_ticks)
    ladder["bid_count"], ladder["bid_off_reason"] = fill_side(
        params, limits, ladder, ladder["bid_price_ticks"], ladder["bid_size_lots"], position_lots, bid_ticks, -1
    )
    ladder["ask_count"], ladder["ask_off_reason"] = fill_side(
        params, limits, ladder, ladder["ask_price_ticks"], ladder["ask_size_lots"], -position_lots, ask_ticks, 1
    )


@kernel
def _explain_ladder(state: Record, ladder: Record, explanation: Record) -> None:
    explanation["clamp_flags"] = ladder["clamp_flags"]
    explanation["bid_off_reason"] = ladder["bid_off_reason"]
    explanation["ask_off_reason"] = ladder["ask_off_reason"]
    explanation["best_bid_ticks"] = state["best_bid_ticks"]
    explanation["best_ask_ticks"] = state["best_ask_ticks"]
    explanation["mid_price"] = state["mid"]
    explanation["micro_price"] = state["micro"]
    explanation["quote_bid_ticks"] = ladder["bid_price_ticks"][0]
    explanation["quote_ask_ticks"] = ladder["ask_price_ticks"][0]
