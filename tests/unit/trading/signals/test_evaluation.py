from __future__ import annotations

import numpy as np
import pytest

from trading.signals.candle_log import HORIZONS, CandleLine
from trading.signals.evaluation import (
    Row,
    evaluate,
    long_run_variance,
    mean_with_interval,
    rank_correlation,
    ranks,
    rate_with_interval,
)


def lines(mids: np.ndarray, **signals: np.ndarray) -> list[CandleLine]:
    """One candle for each mid, with what is known of the mids after it."""
    names = ("momentum", "reversal", "exhaustion", "flow_imbalance", "trend", "mean_reversion", "user_signal",
             "volatility", "adx", "trade_intensity_per_s")  # fmt: skip
    found = []
    for i, mid in enumerate(mids):
        values = {name: float(signals[name][i]) if name in signals else 0.0 for name in names}
        later = {f"mid_{h}": float(mids[i + h]) if i + h < len(mids) else None for h in (0, *HORIZONS)}
        found.append(
            CandleLine(
                instrument="X",
                candle=i,
                time=i,
                is_fresh=i == 0,
                is_warm=True,
                open=1,
                high=1,
                low=1,
                close=1,
                bought=1,
                sold=1,
                mid=float(mid),
                **values,
                **later,
            )
        )
    return found


def row(rows: list[Row], signal: str, horizon: int) -> Row:
    return next(found for found in rows if (found.signal, found.horizon_candles) == (signal, horizon))


def walk(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A random walk of mids and the steps that are still to come."""
    steps = np.random.default_rng(seed).normal(0.0, 1.0, n)
    return 10_000.0 + np.concatenate([[0.0], np.cumsum(steps)[:-1]]), steps


def test_a_signal_that_knows_the_next_step_is_told_from_one_that_knows_nothing() -> None:
    # Given a random walk, a signal that sees the next step through noise, its opposite, and pure noise
    mids, steps = walk(4000)
    noise = np.random.default_rng(2).normal(0.0, 1.0, (2, 4000))
    rows = evaluate(lines(mids, momentum=steps + noise[0], trend=-steps, flow_imbalance=noise[1]))
    # If the signals are judged one candle later, I expect each for what it is
    seeing = row(rows, "momentum", 1)
    assert (seeing.n, seeing.verdict) == (3999, "for")
    assert seeing.hit_rate.value == pytest.approx(0.75, abs=0.03)  # half of the variance is noise: 1/2 + atan(1)/π
    assert seeing.hit_rate.low < 0.75 < seeing.hit_rate.high
    assert seeing.move_bps.value == pytest.approx(0.564, abs=0.05)  # E|x|·corr = √(2/π)/√2 of a 1 bp step
    assert row(rows, "trend", 1).verdict == "against"
    assert row(rows, "trend", 1).hit_rate.value == 0.0
    assert row(rows, "flow_imbalance", 1).verdict == "none"
    # ten candles later the one step that was seen is still there, in more noise
    assert row(rows, "momentum", 10).move_bps.high - row(rows, "momentum", 10).move_bps.low > 2.5 * (
        seeing.move_bps.high - seeing.move_bps.low
    )


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    # Given 200 signals that know nothing, slow ones, judged five candles later: they overlap in every way
    kept = 0
    for seed in range(200):
        mids, _ = walk(600, seed)
        slow = np.convolve(np.random.default_rng(1000 + seed).normal(0.0, 1.0, 609), np.ones(10), "valid")
        found = row(evaluate(lines(mids, momentum=slow)), "momentum", 5)
        kept += found.move_bps.low <= 0.0 <= found.move_bps.high
    # I expect most of the 95 % intervals to hold 0; ones that take candles for independent hold it in about 65 %
    assert kept >= 170


def test_an_undirected_signal_is_judged_by_the_size_of_the_move() -> None:
    rng = np.random.default_rng(3)
    size = rng.uniform(0.1, 5.0, 3000)
    mids = 10_000.0 + np.concatenate([[0.0], np.cumsum(size * rng.choice([-1.0, 1.0], 3000))[:-1]])
    found = row(evaluate(lines(mids, volatility=size)), "volatility", 1)
    assert found.correlation.value > 0.95
    assert found.verdict == "for"
    assert np.isnan(found.hit_rate.value)
    assert np.isnan(found.move_bps.value)


def test_signals_that_never_spoke_and_candles_before_warmth_are_left_out() -> None:
    mids, steps = walk(100)
    entries = lines(mids, momentum=steps)
    for entry in entries[:60]:
        entry.is_warm = False
    rows = evaluate(entries)
    assert {found.signal for found in rows} == {"momentum"}
    assert row(rows, "momentum", 1).n == 39


def test_too_few_observations_give_no_figure() -> None:
    mids, steps = walk(9)
    found = row(evaluate(lines(mids, momentum=steps)), "momentum", 1)
    assert np.isnan(found.move_bps.value)
    assert found.verdict == "none"


def test_a_mean_s_interval_is_the_textbook_s_without_lags_and_wider_with_them() -> None:
    values = np.repeat(np.random.default_rng(4).normal(1.0, 2.0, 200), 5)
    plain = mean_with_interval(values, 0)
    assert plain.high - plain.value == pytest.approx(1.96 * values.std() / np.sqrt(len(values)), rel=1e-3)
    assert mean_with_interval(values, 8).high > plain.high
    assert long_run_variance(values, 4) == pytest.approx(3.4 * values.var(), rel=0.15)  # 1 + 2·Σ(1−l/5)(5−l)/5 = 3.4


def test_a_rate_s_interval_is_wilson_s() -> None:
    # 8 of 20: Wilson's 95 % interval is 0.2188 to 0.6134
    hits = np.array([True] * 8 + [False] * 12)
    found = rate_with_interval(hits, 0)
    assert (found.value, found.low, found.high) == (
        pytest.approx(0.4),
        pytest.approx(0.2188, abs=1e-4),
        pytest.approx(0.6134, abs=1e-4),
    )
    # Never wrong is not certain
    assert rate_with_interval(np.ones(20, bool), 0).low == pytest.approx(0.8389, abs=1e-4)


def test_rank_correlation_shares_ranks_and_bounds() -> None:
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]
    x = np.arange(50.0)
    assert rank_correlation(x, np.exp(x / 10), 1).value == pytest.approx(1.0)
    assert rank_correlation(x, -x, 5).value == pytest.approx(-1.0)
    assert np.isnan(rank_correlation(x, np.ones(50), 1).value)
    assert np.isnan(rank_correlation(x, x, 10).value)
