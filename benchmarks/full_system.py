"""Ours as a subject: supervisor.py and all actors as processes, in a home of their own, against the probe venue."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.parameters import PARAMETERS
from benchmarks.probe_market import INSTRUMENT_NAME
from benchmarks.processes import REPOSITORY, BenchmarkError, last_lines, running
from shm.layout import segment_file_name
from shm.segment import list_segments, unlink_segment

# Limits are wide and one tick moves a quote, so that the figure is the way of the data and nothing else.
# σ stays at its prior: the probe's jumps would otherwise widen the quotes while they are timed.
_CONFIG = """
[venue]
kind = "thalex"

[instruments."{instrument}"]

[strategy]
model = "glft"
fair_price = "mid"
levels = 1
order_size_base = {p.order_size}
risk_aversion_per_usd = {p.gamma}
sigma_prior_usd_per_sqrt_s = {p.sigma}
sigma_samples_min = 1000000
arrival_rate_prior_per_s = {p.arrival_rate}
arrival_decay_prior_per_usd = {p.arrival_decay}
fee_floor = false

[execution]
amend_threshold_ticks = 1

[risk]
order_rate_max_per_s = 10000
loss_from_peak_max_usd = 1000000.0
"""


def config_text() -> str:
    """Return the configuration of a session of ours, as TOML."""
    return _CONFIG.format(instrument=INSTRUMENT_NAME, p=PARAMETERS)


class FullSystem:
    """One session of ours.

    Attributes:
        process: its supervisor.
        log: what it and its actors wrote.
    """

    def __init__(self, process: subprocess.Popen[bytes], home: Path, log: Path) -> None:
        self.process = process
        self.log = log
        self._home = home

    def summary(self) -> dict[str, Any]:
        """Return summary.json; it is there once the session has ended.

        Raises:
            BenchmarkError: when there is none.
        """
        path = self._home / "runs" / "latest" / "summary.json"
        try:
            summary: dict[str, Any] = json.loads(path.read_text())
        except OSError as error:
            raise BenchmarkError(f"no summary of the session ({error}): {last_lines(self.log)}") from None
        return summary


@contextmanager
def full_system(name: str, url: str, home: Path, environ: Mapping[str, str]) -> Iterator[FullSystem]:
    """Run a session named `name`; it is ended in good order, and nothing of it stays in shared memory."""
    home.mkdir()
    config = home / f"{name}.toml"
    config.write_text(config_text())
    log = home / "supervisor.log"
    told = {
        **environ,
        "THALEX_WS_URL": url,
        "RINGMAKER_HOME": str(home),
        "RINGMAKER_RUN_ROOT": str(home / "run"),
    }
    try:
        with running([str(REPOSITORY / "supervisor.py"), str(config)], log, told) as process:
            yield FullSystem(process, home, log)
    finally:
        for left in list_segments(segment_file_name(name, "")):  # only after a supervisor that was killed
            unlink_segment(left)
