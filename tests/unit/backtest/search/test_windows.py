"""Windows of a recording: together they hold all of it, and each begins with the book as it then stood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backtest.data.container import EventFile
from backtest.data.events import KIND_MASK, LEVEL, TRADE
from backtest.data.findings import DataError
from backtest.metrics.market import span_ns, touch_at
from backtest.search.windows import cut, parts_of
from tests.backtest_run import MS, written


def test_training_comes_first_and_what_follows_is_shared_by_the_folds() -> None:
    assert parts_of(0.7, 1) == [0.7]
    assert parts_of(0.6, 2) == pytest.approx([0.6, 0.8])


def test_windows_hold_the_recording_and_show_the_same_market(tmp_path: Path) -> None:
    file = written(tmp_path, seconds=6.0)
    windows = [EventFile(Path(window.path)) for window in cut(file, 0, [0.5, 0.75], tmp_path)]
    news = [
        rows[np.isin(rows["flags"] & KIND_MASK, (LEVEL, TRADE))] for rows in (file.rows, *(w.rows for w in windows))
    ]
    assert np.array_equal(news[0], np.concatenate(news[1:]))
    begin_ns, end_ns = span_ns(file)
    times = np.arange(begin_ns + 100 * MS, end_ns, 37 * MS)
    whole = touch_at(file, times)
    seen = 0
    for window in windows:
        first_ns, last_ns = span_ns(window)
        inside = (times > first_ns) & (times <= last_ns)
        seen += int(inside.sum())
        assert np.array_equal(touch_at(window, times[inside]), whole[inside])
    assert seen > 0.95 * len(times)


def test_a_recording_too_short_to_be_cut_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fewer folds"):
        cut(written(tmp_path, seconds=1.0), 0, parts_of(0.9, 20), tmp_path)
