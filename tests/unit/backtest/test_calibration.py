"""Calibration: fits with the confidence that they state, the γ that was asked for, a block that a config takes."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from backtest.calibration.calibrate import Calibration, Settings, calibrate
from backtest.calibration.fit import arrivals_of, sigma_of, student_t
from backtest.calibration.impact import impact_of
from backtest.calibration.observe import CELLS, IMPACT_INTERVAL, WINDOW, Observation
from backtest.calibration.output import text_lines, toml_text, window_table
from backtest.calibration.suggest import fills_per_hour, gamma_for_bound
from backtest.data.convert import Options
from backtest.data.findings import DataError, Repair
from runtime.config import load_config
from tests.backtest_samples import small_market
from tests.calibrate_seeds import DECAY, IMPACT, RATE, SIGMA
from tests.conftest import REPOSITORY
from trading.quoting.config import QuotingConfig
from trading.quoting.models.glft import glft

SEEDS = 20
NO_INTERVALS = np.zeros(0, IMPACT_INTERVAL)


def calibrated(impact: float) -> list[Calibration]:
    command = [sys.executable, "-m", "tests.calibrate_seeds", str(SEEDS), str(impact)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True)
    return msgspec.msgpack.decode(result.stdout, type=list[Calibration])


@pytest.fixture(scope="module")
def calibrations() -> list[Calibration]:
    """Calibrations of the known market, one for each seed."""
    return calibrated(impact=0.0)


@pytest.fixture(scope="module")
def calibrations_under_impact() -> list[Calibration]:
    """The same of a market that trades move."""
    return calibrated(impact=IMPACT)


@pytest.mark.parametrize(("name", "truth"), [("sigma", SIGMA), ("rate", RATE), ("decay", DECAY)])
def test_known_numbers_lie_in_the_stated_intervals(calibrations: list[Calibration], name: str, truth: float) -> None:
    estimates = [c.sigma if name == "sigma" else getattr(c.arrivals, name) for c in calibrations]
    covered = sum(e.low <= truth <= e.high for e in estimates)
    assert covered >= 16  # of twenty, at 95 % each; fifteen would happen once in 3,000 batches
    for estimate in estimates:
        assert abs(estimate.value - truth) < 4 * estimate.standard_error
        assert estimate.standard_error < 0.06 * truth  # the interval is no excuse


def test_the_live_estimators_find_the_known_numbers(calibrations: list[Calibration]) -> None:
    for found in calibrations:
        # a half-life of 60 s on a grid of 0.2 s: a standard error of 2.4 % of σ
        assert found.live.sigma == pytest.approx(SIGMA, rel=4 * 0.024)
        assert found.live.fits > 5
        assert found.live.rate == pytest.approx(RATE, rel=0.2)
        assert found.live.decay == pytest.approx(DECAY, rel=0.2)
        assert found.live.r2 > 0.98


def test_a_known_impact_lies_in_the_stated_intervals(
    calibrations: list[Calibration], calibrations_under_impact: list[Calibration]
) -> None:
    for truth, batch in ((0.0, calibrations), (IMPACT, calibrations_under_impact)):
        fits = [found.impact for found in batch if found.impact is not None]
        covered = sum(fit.permanent.low <= truth <= fit.permanent.high for fit in fits)
        print(f"impact {truth}: {covered} of {len(fits)} intervals hold it")
        assert len(fits) == SEEDS
        assert covered >= 16  # of twenty, at 95 % each; fifteen would happen once in 3,000 batches
        for fit in fits:
            assert abs(fit.permanent.value - truth) < 4 * fit.permanent.standard_error
            assert fit.permanent.standard_error < 0.2 * IMPACT
            assert fit.r2 == pytest.approx(0.25 if truth else 0.0, abs=0.06)


def test_the_live_estimator_finds_the_known_impact(calibrations_under_impact: list[Calibration]) -> None:
    for found in calibrations_under_impact:
        assert abs(found.live.impact - IMPACT) < 4 * found.live.impact_error
        assert found.live.impact_error < 0.25 * IMPACT


def test_the_fit_of_exact_counts_returns_what_made_them() -> None:
    rate, decay, interval_s, step, lives = 0.7, 0.25, 1.0, 0.5, 4_000_000
    depths = step * np.arange(1, 21)
    below = np.exp(-rate * interval_s * np.exp(-decay * depths))
    counts = np.rint(lives * np.diff(np.concatenate([[0.0], below, [1.0]]))).astype(np.int64)
    windows = np.zeros(1, WINDOW)
    windows["reached"][0, :21] = counts
    seen = observation(windows, step)
    fit = arrivals_of(seen, interval_s)
    assert fit is not None
    assert fit.rate.value == pytest.approx(rate, rel=1e-4)
    assert fit.decay.value == pytest.approx(decay, rel=1e-4)
    assert fit.r2 == pytest.approx(1.0, abs=1e-6)
    # the information of a Gumbel's location, at the least: A is known to no better than 1/√(lives reached)
    assert fit.rate.standard_error / rate > 1 / math.sqrt(fit.reached) / 2
    assert arrivals_of(seen._replace(windows=np.zeros(1, WINDOW)), interval_s) is None


def observation(
    windows: npt.NDArray[np.void], step: float = 1.0, impact_intervals: npt.NDArray[np.void] = NO_INTERVALS
) -> Observation:
    return Observation(windows, np.zeros(1, np.int64), impact_intervals, 100.0, 0, 20, step)


def intervals_of(moves: npt.NDArray[np.float64], flows: npt.NDArray[np.float64]) -> npt.NDArray[np.void]:
    """Intervals of one window, each with the flow of the one before it."""
    rows = np.zeros(len(moves) - 1, IMPACT_INTERVAL)
    rows["move"], rows["flow"], rows["flow_before"] = moves[1:], flows[1:], flows[:-1]
    return rows


def test_impact_tells_what_stays_from_what_leaves_again_in_flow_that_goes_on() -> None:
    # Given buying and selling that last, which move the mid by $3 a unit at once, $1 of it for one interval only
    rng = np.random.default_rng(5)
    flows = np.repeat(rng.normal(0.0, 1.0, 500), 4)
    moves = 3.0 * flows
    moves[1:] -= 1.0 * flows[:-1]
    fit = impact_of(observation(np.zeros(1, WINDOW), impact_intervals=intervals_of(moves, flows)))
    assert fit is not None
    assert fit.now.value == pytest.approx(3.0)
    assert fit.permanent.value == pytest.approx(2.0)
    assert fit.r2 == pytest.approx(1.0)


def test_flow_that_never_changes_or_hardly_ever_comes_is_no_fit() -> None:
    moves = np.random.default_rng(6).normal(size=200)
    seldom = np.zeros(200)
    seldom[:10] = 1.0
    for flows in (np.ones(200), seldom, np.zeros(200)):
        assert impact_of(observation(np.zeros(1, WINDOW), impact_intervals=intervals_of(moves, flows))) is None


def test_clustered_activity_widens_the_intervals() -> None:
    def seen(variances: list[float]) -> Observation:
        windows = np.zeros(len(variances), WINDOW)
        windows["returns"] = windows["pairs"] = 1000
        windows["sum_r2"] = 1000 * np.array(variances)
        windows["sum_r4"] = 3000 * np.array(variances) ** 2
        return observation(windows)

    even = sigma_of(seen([1.0] * 8), 1.0)
    uneven = sigma_of(seen([0.2, 1.8] * 4), 1.0)
    assert even.value == uneven.value == pytest.approx(1.0)
    assert uneven.standard_error > 5 * even.standard_error


def test_bounce_between_two_prices_is_taken_out() -> None:
    windows = np.zeros(1, WINDOW)
    # returns of a mid with variance 1 a step, seen with noise of variance 0.5: r² = 2, r·r₋₁ = −0.5
    windows["returns"] = windows["pairs"] = 10_000
    windows["sum_r2"], windows["sum_rr"], windows["sum_r4"] = 20_000.0, -5_000.0, 120_000.0
    seen = observation(windows)
    assert sigma_of(seen, 1.0).value == pytest.approx(math.sqrt(2.0))
    assert sigma_of(seen, 1.0, robust=True).value == pytest.approx(1.0)


@pytest.mark.parametrize(("degrees", "quantile"), [(3, 3.1824), (7, 2.3646), (30, 2.0423), (10**6, 1.95997)])
def test_students_quantiles(degrees: int, quantile: float) -> None:
    assert student_t(degrees) == pytest.approx(quantile, rel=5e-3)


@pytest.mark.parametrize("bound", [0.05, 0.5, 3.0])
def test_the_suggested_gamma_moves_the_quotes_by_a_half_spread_at_the_bound(bound: float) -> None:
    gamma = gamma_for_bound(4.47, 4.0, 0.5, 0.01, bound)
    half_spread, skew = glft(4.47, 4.0, 0.5, gamma, gamma, 0.01)
    assert skew * bound == pytest.approx(half_spread, rel=1e-9)


def test_no_gamma_binds_a_position_below_half_an_order() -> None:
    assert math.isnan(gamma_for_bound(4.47, 4.0, 0.5, 0.01, 0.005))


def test_fills_an_hour_by_hand() -> None:
    assert fills_per_hour(0.5, 0.3, 2.0) == pytest.approx(2 * 3600 * 0.5 * math.exp(-0.6))


def test_what_is_written_is_a_configuration(tmp_path: Path, calibrations: list[Calibration]) -> None:
    found = calibrations[0]
    text = toml_text(found)
    path = tmp_path / "calibrated.toml"
    path.write_text(text)
    strategy = load_config(path).strategy
    assert found.arrivals is not None
    assert found.suggestion is not None
    assert strategy.sigma_prior_usd_per_sqrt_s == pytest.approx(found.sigma.value, rel=1e-5)
    assert strategy.arrival_rate_prior_per_s == pytest.approx(found.arrivals.rate.value, rel=1e-5)
    assert strategy.arrival_decay_prior_per_usd == pytest.approx(found.arrivals.decay.value, rel=1e-5)
    assert strategy.risk_aversion_per_usd == pytest.approx(found.suggestion.risk_aversion_per_usd, rel=1e-5)
    assert strategy.position_hard_base == found.settings_bound_base
    assert found.impact is not None
    assert strategy.shaping.impact_usd_per_base == pytest.approx(max(found.impact.permanent.value, 0.0), rel=1e-5)
    assert strategy.shaping.impact_error_usd_per_base == pytest.approx(found.impact.permanent.standard_error, rel=1e-5)
    assert tomllib.loads(text)["instruments"] == {found.instrument: {}}


def test_the_text_has_units_and_the_table_a_row_for_each_window(calibrations: list[Calibration]) -> None:
    text = "\n".join(text_lines(calibrations[0]))
    for words in ("σ, $/√s", "A, 1/s", "κ, 1/$", "impact, $ per base unit", "95 % confidence", "fills/h", "γ ="):
        assert words in text
    rows = [line for line in window_table(calibrations[0]) if line.startswith("| ")]
    assert len(rows) == 1 + 20  # 1,200 s in windows of 60 s


def test_too_few_trades_are_no_fit_and_a_mid_that_never_moves_is_refused(tmp_path: Path) -> None:
    lines = small_market()
    for i in range(20):
        lines.best(100 + 10 * i, 100.0 - 0.1 * (i % 2), 1.0, 100.1, 1.0)
    path = lines.write(tmp_path / "moves.gz")
    found = calibrate([path], Options(), Settings(QuotingConfig(sigma_grid_ms=10)))
    assert found.arrivals is None
    assert "no fit" in "\n".join(text_lines(found))
    with pytest.raises(DataError, match=r"^still\.gz: the mid never moved"):
        calibrate([small_market().write(tmp_path / "still.gz")], Options(), Settings())


def test_a_clock_that_runs_behind_is_refused_and_shifted_when_asked_as_of_a_backtest(tmp_path: Path) -> None:
    # Given a recorder whose clock runs behind the exchange's
    lines = small_market()
    lines.latency_ms = -2
    for i in range(20):
        lines.best(100 + 10 * i, 100.0 - 0.1 * (i % 2), 1.0, 100.1, 1.0)
    path = lines.write(tmp_path / "behind.gz")
    settings = Settings(QuotingConfig(sigma_grid_ms=10))
    # I expect what converts it for a backtest to refuse it for a calibration as well
    with pytest.raises(DataError, match="add --repair clock"):
        calibrate([path], Options(), settings)
    found = calibrate([path], Options(repairs=frozenset({Repair.CLOCK})), settings)
    assert "repaired once: clock" in found.notes


def test_grid_and_order_size_are_those_of_the_instrument_in_the_configuration(tmp_path: Path) -> None:
    lines = small_market()
    for i in range(20):
        lines.best(100 + 10 * i, 100.0 - 0.1 * (i % 2), 1.0, 100.1, 1.0)
    path = lines.write(tmp_path / "moves.gz")
    text = '[strategy]\nsigma_grid_ms = 10\n[instruments."{}".strategy]\norder_size_base = 0.02\nsigma_grid_ms = 20\n'
    # Given the instrument of the recording, and another one
    fine = Settings(QuotingConfig(sigma_grid_ms=10))
    (tmp_path / "own.toml").write_text(text.format(calibrate([path], Options(), fine).instrument))
    (tmp_path / "other.toml").write_text(text.format("OTHER"))
    own, other = (
        calibrate([path], Options(), Settings(), load_config(tmp_path / name)) for name in ("own.toml", "other.toml")
    )
    assert (own.grid_s, own.settings_size_base, own.notes) == (0.02, 0.02, [])
    assert (other.grid_s, other.settings_size_base) == (0.01, 0.01)
    assert "played with [strategy] alone" in other.notes[0]
    # If an order's size is given, I expect it
    sized = calibrate([path], Options(), Settings(order_size_base=0.05), load_config(tmp_path / "own.toml"))
    assert sized.settings_size_base == 0.05


def run_cli(*arguments: str, jit: str = "0") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RINGMAKER_JIT": jit}
    command = [sys.executable, "cli.py", "calibrate", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def test_bad_arguments_are_one_line_and_exit_code_2(tmp_path: Path) -> None:
    for arguments, words in (
        (["no/such.gz"], "no/such.gz: No such file"),
        ([str(REPOSITORY / "README.md")], "README.md:1: unknown format"),
        (["--inventory-bound", "-1", "x"], "--inventory-bound -1: expected a number of 0 or more"),
        (["--repair", "nothing", "x"], "--repair nothing: no such repair"),
    ):
        result = run_cli(*arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.startswith("error: ")
        assert words in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("year", "sigma", "decay", "impact"),
    [("2024", (1.0, 6.0), (0.05, 0.6), (0.1, 0.6)), ("2023", (0.3, 3.0), (0.2, 2.0), (0.05, 0.3))],
)
def test_both_recordings_give_finite_stable_fits(
    recordings: Path,
    tmp_path: Path,
    year: str,
    sigma: tuple[float, float],
    decay: tuple[float, float],
    impact: tuple[float, float],
) -> None:
    output = tmp_path / "found.toml"
    parts = sorted(str(path) for path in recordings.glob(f"*_{year}*"))
    result = run_cli(*parts, "--repair", "clock", "--json", "--output", str(output), jit="1")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert sigma[0] < found["sigma"]["value"] < sigma[1]
    assert decay[0] < found["arrivals"]["decay"]["value"] < decay[1]
    assert found["arrivals"]["r2"] > 0.98
    assert found["live"]["fits"] > 30
    fitted = [window["decay"] for window in found["windows"] if window["decay"] is not None]
    assert len(fitted) >= len(found["windows"]) - 1
    assert max(fitted) < 6 * min(fitted)
    # of the impact every window has a fit, and the live estimate stays near the whole recording's once it is warm
    permanent = found["impact"]["permanent"]
    assert impact[0] < permanent["value"] < impact[1]
    assert 0.1 < found["impact"]["r2"] < 0.9
    assert all(window["impact"] is not None for window in found["windows"])
    by_window = [window["impact"] for window in found["windows"]]
    assert min(by_window) > 0.0
    assert max(by_window) < 10 * min(by_window)
    live = [window["live"]["impact"] for window in found["windows"][1:]]
    assert all(0.5 * permanent["value"] < value < 2.0 * permanent["value"] for value in live)
    assert msgspec.convert(tomllib.loads(output.read_text())["strategy"], QuotingConfig).risk_aversion_per_usd > 0


def test_both_sides_have_cells_for_every_depth() -> None:
    assert WINDOW["reached"].shape == (2 * CELLS,)
