"""From files to a calibration: convert where needed, choose the depths, observe, fit, suggest."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from backtest.calibration.fit import (
    NO_ESTIMATE,
    Arrivals,
    Estimate,
    arrivals_of,
    sigma_of,
)
from backtest.calibration.impact import Impact, impact_of
from backtest.calibration.observe import Observation, observe
from backtest.calibration.suggest import Suggestion, suggest
from backtest.data.container import EventFile
from backtest.data.convert import Options, convert
from backtest.data.findings import DataError, times_words
from backtest.data.formats import EVENT_FILE, format_of
from backtest.data.recordings import files_of_runs
from backtest.scratch import scratch_folder
from runtime.config import Config
from runtime.instrument_strategy import strategy_for
from trading.quoting.config import QuotingConfig

REACHED_PART = 0.03  # the deepest depth of the fit is the one that so many quotes' lives reach: near the touch
WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How to calibrate.

    Attributes:
        quoting: grid, interval, depths, Δ, fees and floors are taken from it, where there is no configuration.
        order_size_base: Δ; None = the strategy's.
        inventory_bound_base: wished bound of |position|; 0 = the configuration's hard limit.
        depth_step_ticks: ticks between two depths; 0 = chosen so that few quotes are reached beyond the last.
        window_s: length of the windows of time between which the fits' spread is told.
    """

    quoting: QuotingConfig = field(default_factory=QuotingConfig)
    order_size_base: float | None = None
    inventory_bound_base: float = 0.0
    depth_step_ticks: int = 0
    window_s: float = WINDOW_S


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What a live quoter's estimators say at the end of the data; NaN where they have no fit."""

    sigma: float
    rate: float
    decay: float
    r2: float
    fits: int
    impact: float
    impact_error: float


class WindowFit(msgspec.Struct, frozen=True, kw_only=True):
    """The fits of one window of time, beside what the live estimators said at its end."""

    begin_s: float
    trades: int
    sigma: float
    rate: float
    decay: float
    r2: float
    impact: float
    impact_r2: float
    live: Live


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """All that was fitted. σ in $/√s, A in 1/s, κ in 1/$, market impact in $ per base unit."""

    instrument: str
    sources: list[str]
    notes: list[str]
    seconds: float
    trades: int
    mid: float
    tick_size: float
    sigma: Estimate
    sigma_robust: Estimate
    grid_s: float
    arrivals: Arrivals | None
    arrivals_bid: Arrivals | None
    arrivals_ask: Arrivals | None
    interval_s: float
    depth_step_ticks: int
    impact: Impact | None
    impact_interval_s: float
    live: Live
    windows: list[WindowFit]
    suggestion: Suggestion | None
    settings_size_base: float
    settings_bound_base: float


def calibrate(paths: list[Path], options: Options, settings: Settings, config: Config | None = None) -> Calibration:
    """Calibrate on recordings of any supported format, with what `config` has for their instrument.

    Raises:
        DataError: when the data cannot be read, or has a fault that `options` do not repair.
    """
    paths = files_of_runs(paths)
    if len(paths) == 1 and format_of(paths[0])[0] == EVENT_FILE:
        return _calibrated(EventFile(paths[0]), [], settings, config)
    with scratch_folder("calibrate") as folder:
        output = folder / "calibrated.events"
        report = convert(paths, output, options)
        notes = [f"repaired {times_words(count)}: {name}" for name, count in report.repairs.items()]
        return _calibrated(EventFile(output), notes, settings, config)


def _calibrated(file: EventFile, notes: list[str], settings: Settings, config: Config | None) -> Calibration:
    if config is not None:
        quoting, note = strategy_for(config, file.header.instrument)
        settings = replace(settings, quoting=quoting)
        notes = [*notes, note] if note else notes
    return calibrate_file(file, notes, settings)


def calibrate_file(file: EventFile, notes: list[str], settings: Settings) -> Calibration:
    """Calibrate on an event file."""
    quoting = settings.quoting
    if settings.order_size_base is not None:
        quoting = msgspec.structs.replace(quoting, order_size_base=settings.order_size_base)
    step = settings.depth_step_ticks or _chosen_step(file, quoting)
    quoting = msgspec.structs.replace(quoting, fit_depth_step_ticks=step)
    seen = observe(file, quoting, settings.window_s)
    grid_s, interval_s = quoting.sigma_grid_ms / 1e3, quoting.fit_interval_ms / 1e3
    sigma = sigma_of(seen, grid_s)
    if sigma is NO_ESTIMATE:
        raise DataError(f"{', '.join(file.header.sources)}: the mid never moved, or there never was a whole book: no σ")
    arrivals = arrivals_of(seen, interval_s)
    bound = settings.inventory_bound_base or quoting.position_hard_base
    if seen.gaps:
        notes = [*notes, f"{seen.gaps} outages longer than {quoting.sigma_gap_ms_max / 1e3:g} s were skipped"]
    return Calibration(
        instrument=file.header.instrument,
        sources=file.header.sources,
        notes=notes,
        seconds=(file.header.end_ns - file.header.begin_ns) / 1e9,
        trades=int(seen.windows["trades"].sum()),
        mid=seen.mid,
        tick_size=file.header.tick_size,
        sigma=sigma,
        sigma_robust=sigma_of(seen, grid_s, robust=True),
        grid_s=grid_s,
        arrivals=arrivals,
        arrivals_bid=arrivals_of(seen, interval_s, "bid"),
        arrivals_ask=arrivals_of(seen, interval_s, "ask"),
        interval_s=interval_s,
        depth_step_ticks=step,
        impact=impact_of(seen),
        impact_interval_s=quoting.shaping.impact_interval_ms / 1e3,
        live=_live(seen.windows[-1]),
        windows=_window_fits(seen, grid_s, interval_s),
        suggestion=_suggestion(sigma, arrivals, quoting, seen.mid, bound),
        settings_size_base=quoting.order_size_base,
        settings_bound_base=bound,
    )


def _chosen_step(file: EventFile, quoting: QuotingConfig) -> int:
    """Return the ticks between depths so that the last of them is reached by few quotes, but by some."""
    reaches = observe(file, msgspec.structs.replace(quoting, fit_depth_step_ticks=1), WINDOW_S).reaches
    beyond = np.cumsum(reaches[::-1])[::-1]
    reached = np.flatnonzero(beyond >= REACHED_PART * reaches.sum())
    deepest_ticks = int(reached[-1]) if len(reached) else 0
    return max(1, round(deepest_ticks / quoting.fit_depths))


def _suggestion(
    sigma: Estimate, arrivals: Arrivals | None, quoting: QuotingConfig, mid: float, bound: float
) -> Suggestion | None:
    if arrivals is None:
        return None
    fee_usd = mid * (quoting.fee_maker_bps + 0.5 * quoting.fee_margin_bps) * 1e-4 if quoting.fee_floor else 0.0
    return suggest(
        sigma.value,
        arrivals.rate.value,
        arrivals.decay.value,
        order_size=quoting.order_size_base,
        bound=bound,
        floor_usd=max(fee_usd, quoting.half_spread_min_usd),
        fitted_usd=arrivals.depth_usd,
    )


def _live(window: np.void) -> Live:
    has_fit = bool(window["live_fits"] > 0)
    return Live(
        sigma=float(np.sqrt(window["live_variance"])) if window["live_samples"] > 0 else float("nan"),
        rate=float(window["live_rate"]) if has_fit else float("nan"),
        decay=float(window["live_decay"]) if has_fit else float("nan"),
        r2=float(window["live_r2"]),
        fits=int(window["live_fits"]),
        impact=float(window["live_impact"]),
        impact_error=float(window["live_impact_error"]),
    )


def _window_fits(seen: Observation, grid_s: float, interval_s: float) -> list[WindowFit]:
    fits = []
    begin_ns = int(seen.windows["begin_ns"][0])
    for i, window in enumerate(seen.windows):
        of_window = seen.impact_intervals[seen.impact_intervals["window"] == i]
        part = seen._replace(windows=seen.windows[i : i + 1], impact_intervals=of_window)
        arrivals = arrivals_of(part, interval_s)
        impact = impact_of(part)
        fits.append(
            WindowFit(
                begin_s=(int(window["begin_ns"]) - begin_ns) / 1e9,
                trades=int(window["trades"]),
                sigma=sigma_of(part, grid_s).value,
                rate=arrivals.rate.value if arrivals else float("nan"),
                decay=arrivals.decay.value if arrivals else float("nan"),
                r2=arrivals.r2 if arrivals else float("nan"),
                impact=impact.permanent.value if impact else float("nan"),
                impact_r2=impact.r2 if impact else float("nan"),
                live=_live(window),
            )
        )
    return fits
