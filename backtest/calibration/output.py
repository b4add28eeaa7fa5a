"""A calibration as text for people, and as a configuration."""

from __future__ import annotations

import math

import numpy as np

from backtest.calibration.calibrate import Calibration
from backtest.calibration.fit import Arrivals, Estimate
from backtest.calibration.suggest import Quotes

SOFT_PART = 0.6  # of the bound: where the side that adds to the position begins to shrink


def text_lines(found: Calibration) -> list[str]:
    """Return the calibration as lines of text, with units."""
    lines = [
        f"{found.instrument}: {', '.join(found.sources)}",
        f"  {found.seconds:,.1f} s, {found.trades:,} trades, average mid {found.mid:,.2f} $, "
        f"tick {found.tick_size:g} $",
        *(f"  note: {note}" for note in found.notes),
        "",
        f"  {'':<26}{'estimate':>11}  {'95 % confidence':<24}  live at the end",
        _row("σ, $/√s", found.sigma, found.live.sigma),
        _row("σ without bounce, $/√s", found.sigma_robust, None),
    ]
    if found.arrivals is None:
        lines.append("  A, κ: no fit: trades reached fewer than three depths, or no maximum was found")
        return lines + _impact_lines(found)
    fit = found.arrivals
    lines += [
        _row("A, 1/s", fit.rate, found.live.rate),
        _row("κ, 1/$", fit.decay, found.live.decay),
        f"  A, κ: R² {fit.r2:.3f}, {fit.quotes:,} quotes of {found.interval_s:g} s, {fit.reached:,} reached, "
        f"depths to {fit.depth_usd:g} $ in steps of {found.depth_step_ticks} ticks",
        _sides(found.arrivals_bid, found.arrivals_ask),
        *_impact_lines(found),
        "",
    ]
    return lines + _suggestion_lines(found)


def _impact_lines(found: Calibration) -> list[str]:
    if found.impact is None:
        return [f"  impact: no fit: too few intervals of {found.impact_interval_s:g} s have trades"]
    fit, live = found.impact, found.live
    at_end = "no estimate" if math.isnan(live.impact) else f"{live.impact:.4g} ± {live.impact_error:.2g}"
    return [
        f"{_row('impact, $ per base unit', fit.permanent, None)}  {at_end}",
        f"  impact: R² {fit.r2:.3f}, {fit.intervals:,} intervals of {found.impact_interval_s:g} s with trades; "
        f"{fit.now.value:.4g} within an interval, {fit.permanent.value:.4g} left after the next",
    ]


def _suggestion_lines(found: Calibration) -> list[str]:
    suggestion = found.suggestion
    if suggestion is None:
        return [
            f"  γ: none gives skew · {found.settings_bound_base:g} = half-spread with orders of "
            f"{found.settings_size_base:g}: the bound must be above half an order"
        ]
    return [
        f"  γ = {suggestion.risk_aversion_per_usd:.4g} 1/$ suggested (GLFT, ξ = γ, orders of "
        f"{suggestion.order_size_base:g}): a position of {suggestion.inventory_bound_base:g} moves the quotes by a "
        "half-spread",
        f"  model alone: {_quotes(suggestion.model)}",
        f"  with floor {suggestion.floor_usd:.4g} $: {_quotes(suggestion.floored)}",
    ]


def _row(name: str, estimate: Estimate, live: float | None) -> str:
    interval = f"{estimate.low:.4g} … {estimate.high:.4g}"
    at_end = "" if live is None else ("no fit" if math.isnan(live) else f"{live:.4g}")
    return f"  {name:<26}{estimate.value:>11.4g}  {interval:<24}  {at_end}".rstrip()


def _sides(bid: Arrivals | None, ask: Arrivals | None) -> str:
    parts = [
        f"{name} A {fit.rate.value:.3g}, κ {fit.decay.value:.3g}" if fit else f"{name} no fit"
        for name, fit in (("bid", bid), ("ask", ask))
    ]
    return f"  by side: {'; '.join(parts)}"


def _quotes(quotes: Quotes) -> str:
    doubt = " (beyond the fitted depths)" if quotes.is_extrapolated else ""
    return (
        f"half-spread {quotes.half_spread_usd:.4g} $, spread {2 * quotes.half_spread_usd:.4g} $, "
        f"skew {quotes.skew_usd_per_base:.4g} $ per unit held, {quotes.fills_per_hour:,.1f} fills/h{doubt}"
    )


def toml_text(found: Calibration) -> str:
    """Return a whole configuration with what was found: alone it is one for a backtest.

    The file of a session that is there already takes over what stands below [strategy].
    """
    lines = [
        "# A configuration for `./cli.py backtest --config`; for a session copy the keys of [strategy] into its file.",
        f'[instruments."{found.instrument}"]',
        "",
        f"# calibrated on {found.seconds:,.0f} s of {found.instrument}: {', '.join(found.sources)}",
        "[strategy]",
        f"sigma_prior_usd_per_sqrt_s = {_number(found.sigma.value)}  # {_interval(found.sigma)}",
    ]
    if found.arrivals is not None:
        fit = found.arrivals
        lines += [
            f"arrival_rate_prior_per_s = {_number(fit.rate.value)}  # A: {_interval(fit.rate)}, R² {fit.r2:.3f}",
            f"arrival_decay_prior_per_usd = {_number(fit.decay.value)}  # κ: {_interval(fit.decay)}",
        ]
    if found.suggestion is not None:
        suggestion = found.suggestion
        bound = suggestion.inventory_bound_base
        lines += [
            f"risk_aversion_per_usd = {_number(suggestion.risk_aversion_per_usd)}  # γ: skew · {bound:g} = half-spread",
            f"order_size_base = {_number(suggestion.order_size_base)}",
            f"position_soft_base = {_number(SOFT_PART * bound)}",
            f"position_hard_base = {_number(bound)}",
        ]
    if found.impact is not None:
        fit_of_impact = found.impact.permanent
        lines += [
            "",
            "[strategy.shaping]",
            f"impact_usd_per_base = {_number(max(fit_of_impact.value, 0.0))}  # {_interval(fit_of_impact)}, "
            f"R² {found.impact.r2:.3f}; market_impact switches it on",
            f"impact_error_usd_per_base = {_number(fit_of_impact.standard_error)}",
        ]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    text = f"{value:.6g}"
    return text if any(c in text for c in ".e") else f"{text}.0"


def _interval(estimate: Estimate) -> str:
    return f"95 %: {estimate.low:.4g} … {estimate.high:.4g}"


def window_table(found: Calibration) -> list[str]:
    """Return the fits by window of time as a Markdown table, with their spread."""
    lines = [
        "| from, s | trades | σ, $/√s | A, 1/s | κ, 1/$ | R² | impact, $ | R² | live σ | live A | live κ | live R² "
        "| live impact |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for fit in found.windows:
        live = fit.live
        numbers = (
            fit.sigma, fit.rate, fit.decay, fit.r2, fit.impact, fit.impact_r2,
            live.sigma, live.rate, live.decay, live.r2, live.impact,
        )  # fmt: skip
        cells = " | ".join("–" if math.isnan(number) else f"{number:.3g}" for number in numbers)
        lines.append(f"| {fit.begin_s:.0f} | {fit.trades:,} | {cells} |")
    for name in ("sigma", "rate", "decay", "impact"):
        values = np.array([getattr(fit, name) for fit in found.windows])
        values = values[np.isfinite(values)]
        if len(values) > 1:
            words = {"sigma": "σ", "rate": "A", "decay": "κ", "impact": "impact"}
            spread = values.std(ddof=1) / values.mean()
            lines.append("") if name == "sigma" else None
            lines.append(
                f"{words[name]}: {len(values)} of {len(found.windows)} windows fitted, {values.min():.3g} to "
                f"{values.max():.3g}, coefficient of variation {spread:.0%}.  "
            )
    return lines
