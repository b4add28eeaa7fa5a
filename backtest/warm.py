"""Compiles the kernels of conversion, book, generation, calibration and engine, by running each once, briefly."""

from __future__ import annotations

import tempfile
from pathlib import Path

from backtest.calibration.calibrate import Settings as CalibrationSettings
from backtest.calibration.calibrate import calibrate_file
from backtest.data.container import EventFile
from backtest.data.convert import Options, convert
from backtest.engine.run import Settings
from backtest.metrics.own_series import own_series
from backtest.metrics.statistics import statistics
from backtest.play import play
from backtest.search.windows import cut
from backtest.synthetic import Market, write_session
from domain import jit

KERNELS = "backtest"  # what the note is called that they are kept (domain/jit.py)


def warm_kernels() -> None:
    """Run every kernel of this package with the types that it is called with."""
    with tempfile.TemporaryDirectory(prefix="ringmaker-warm-") as folder:
        generated, recorded = Path(folder) / "generated.events", Path(folder) / "recorded.txt"
        write_session(generated, Market(), 5.0)
        calibrate_file(EventFile(generated), [], CalibrationSettings(depth_step_ticks=1))
        result, leg = play(EventFile(generated), Settings())  # the watched run and its markouts are of the same kernels
        statistics([leg])
        own_series(result.answers, leg.series["time_ns"].copy())
        cut(EventFile(generated), 0, [0.5], Path(folder))
        recorded.write_text(RECORDING)
        convert([recorded], Path(folder) / "converted.events", Options())
    if jit.is_enabled():
        jit.mark_warm(KERNELS)


_STREAM = '1700000000%03d {"stream":"x@%s","data":{"T":1700000000000,%s}}\n'
RECORDING = (
    '1700000000001 {"lastUpdateId":1,"T":1700000000000,"bids":[["1.0","1"]],"asks":[["1.1","2"]]}\n'
    + _STREAM % (2, "depth", '"U":1,"u":2,"pu":1,"b":[["1.0","2"]],"a":[]')
    + _STREAM % (3, "trade", '"t":1,"p":"1.1","q":"1","m":false')
)
