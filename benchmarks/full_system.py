"""Ours as a subject: supervisor.py and all actors as processes, in a home of their own, against the probe venue."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.parameters import PARAMETERS
from benchmarks.probe_market import instrument_names
from benchmarks.processes import REPOSITORY, BenchmarkError, last_lines, running
from domain.errors import ConnectivityError
from messages.commands import Status
from runtime.commands import send_command
from shm.layout import segment_file_name
from shm.segment import list_segments, unlink_segment

RUN_ROOT = "RINGMAKER_RUN_ROOT"
STATUS_TIMEOUT_S = 5.0

# Limits are wide and one tick moves a quote, so that the figure is the way of the data and nothing else.
# σ stays at its prior: the probe's jumps would otherwise widen the quotes while they are timed.
_CONFIG = """
[venue]
kind = "thalex"

{instruments}

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


def config_text(instruments: int = 1, extra: str = "") -> str:
    """Return the configuration of a session of ours, as TOML; `extra` are further sections."""
    sections = "\n".join(f'[instruments."{name}"]' for name in instrument_names(instruments))
    return _CONFIG.format(instruments=sections, p=PARAMETERS) + extra


class FullSystem:
    """One session of ours.

    Attributes:
        name: the session's.
        process: its supervisor.
        log: what it and its actors wrote.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes], home: Path, log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log
        self._home = home

    def status(self) -> dict[str, Any]:
        """Return what the supervisor says now.

        Raises:
            BenchmarkError: when it does not answer.
        """
        before = os.environ.get(RUN_ROOT)
        os.environ[RUN_ROOT] = str(self._home / "run")
        try:
            return send_command(self.name, "supervisor", Status(), STATUS_TIMEOUT_S).data
        except ConnectivityError as error:
            raise BenchmarkError(f"the supervisor does not answer ({error}): {last_lines(self.log)}") from None
        finally:
            del os.environ[RUN_ROOT]
            if before is not None:
                os.environ[RUN_ROOT] = before

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
def full_system(
    name: str, url: str, home: Path, environ: Mapping[str, str], *, instruments: int = 1, extra: str = ""
) -> Iterator[FullSystem]:
    """Run a session named `name`; it is ended in good order, and nothing of it stays in shared memory."""
    home.mkdir()
    config = home / f"{name}.toml"
    config.write_text(config_text(instruments, extra))
    log = home / "supervisor.log"
    told = {
        **environ,
        "THALEX_WS_URL": url,
        "RINGMAKER_HOME": str(home),
        "RINGMAKER_RUN_ROOT": str(home / "run"),
    }
    try:
        with running([str(REPOSITORY / "supervisor.py"), str(config)], log, told) as process:
            yield FullSystem(name, process, home, log)
    finally:
        for left in list_segments(segment_file_name(name, "")):  # only after a supervisor that was killed
            unlink_segment(left)
