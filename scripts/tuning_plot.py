"""Draw docs/tuning.png, what the main parameters do to spread, skew and fills, and print the table beside it.

.venv/bin/python -m scripts.tuning_plot
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backtest.calibration.suggest import fills_per_hour
from trading.quoting.models.avellaneda_stoikov import avellaneda_stoikov
from trading.quoting.models.glft import glft

OUTPUT = Path(__file__).resolve().parent.parent / "docs" / "tuning.png"
# The fit of the 2024 recording in docs/calibration.md, rounded; Δ of the default configuration.
SIGMA, RATE, DECAY, GAMMA, ORDER_SIZE = 2.8, 0.12, 0.18, 0.1, 0.01
HORIZON_S = 60.0
GAMMAS = (0.001, 0.01, 0.1, 1.0, 10.0)


def quotes(**changes: float) -> tuple[float, float]:
    """Return (half-spread in $, skew in $ per base unit) of GLFT with ξ = γ, some of the inputs changed."""
    given = {"sigma": SIGMA, "rate": RATE, "decay": DECAY, "gamma": GAMMA, "order_size": ORDER_SIZE, **changes}
    half, skew = glft(
        given["sigma"], given["rate"], given["decay"], given["gamma"], given["gamma"], given["order_size"]
    )
    return float(half), float(skew)


def table() -> list[str]:
    """Return quotes by γ as a Markdown table."""
    lines = [
        "| γ, 1/$ | half-spread, $ | skew, $ per unit | position that shifts by a half-spread | fills/h, flat |",
        "|---|---|---|---|---|",
    ]
    for gamma in GAMMAS:
        half, skew = quotes(gamma=gamma)
        fills = fills_per_hour(RATE, DECAY, half)
        lines.append(f"| {gamma:g} | {half:.3f} | {skew:.1f} | {half / skew:.3f} | {fills:.0f} |")
    return lines


def _swept(name: str, values: np.ndarray) -> np.ndarray:
    return np.array([quotes(**{name: float(value)}) for value in values])


def draw(path: Path) -> None:
    """Write the plot."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams.update({"font.size": 8})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 3, figsize=(10, 5.5), constrained_layout=True)
    panels: tuple[tuple[str, str, float, bool], ...] = (
        ("gamma", "risk_aversion_per_usd γ, 1/$", GAMMA, True),
        ("sigma", "σ, $/√s", SIGMA, False),
        ("rate", "arrival rate A, 1/s", RATE, True),
        ("decay", "arrival decay κ, 1/$", DECAY, True),
        ("order_size", "order_size_base Δ", ORDER_SIZE, True),
    )
    for axis, (name, label, now, is_log) in zip(axes.flat, panels, strict=False):
        values = np.geomspace(now / 100, now * 100, 60) if is_log else np.linspace(now / 10, now * 4, 60)
        _sweep(axis, values, _swept(name, values), label, now, is_log=is_log)
    _fills(axes.flat[5])
    figure.suptitle("GLFT at σ 2.8 $/√s, A 0.12 1/s, κ 0.18 1/$, γ 0.1 1/$, Δ 0.01; one input changed in each panel")
    figure.savefig(path, dpi=90, metadata={"Software": None})
    pyplot.close(figure)


def _sweep(axis: Any, values: np.ndarray, found: np.ndarray, label: str, now: float, *, is_log: bool) -> None:
    axis.plot(values, found[:, 0], color="tab:blue")
    axis.set_xlabel(label)
    axis.set_ylabel("half-spread, $", color="tab:blue")
    axis.set_ylim(bottom=0)
    axis.axvline(now, color="0.8", linewidth=1)
    twin = axis.twinx()
    twin.plot(values, found[:, 1], color="tab:orange")
    twin.set_ylabel("skew, $ per unit", color="tab:orange")
    twin.set_ylim(bottom=0)
    if is_log:
        axis.set_xscale("log")


def _fills(axis: Any) -> None:
    halves = np.linspace(0.0, 25.0, 100)
    for factor, style in ((0.5, ":"), (1.0, "-"), (2.0, "--")):
        fills = [fills_per_hour(RATE, DECAY * factor, half) for half in halves]
        axis.plot(halves, fills, style, color="tab:green", label=f"κ · {factor:g}")
    axis.set_xlabel("half-spread, $")
    axis.set_ylabel("fills/h, both sides, flat")
    axis.legend(frameon=False)


def horizon_table() -> list[str]:
    """Return Avellaneda-Stoikov's quotes by horizon as a Markdown table."""
    lines = ["| horizon_s | half-spread, $ | skew, $ per unit |", "|---|---|---|"]
    for horizon_s in (10.0, HORIZON_S, 600.0):
        half, skew = avellaneda_stoikov(SIGMA, DECAY, GAMMA, ORDER_SIZE, horizon_s)
        lines.append(f"| {horizon_s:g} | {half:.3f} | {skew:.1f} |")
    return lines


_TABLES: tuple[Callable[[], list[str]], ...] = (table, horizon_table)


def main() -> None:
    """Draw, and print the tables."""
    draw(OUTPUT)
    for lines in _TABLES:
        print(*lines(), "", sep="\n")


if __name__ == "__main__":
    main()
