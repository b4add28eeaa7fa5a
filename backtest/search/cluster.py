"""Workers of Dask: one process a core on this machine, or those of a scheduler that runs elsewhere.

A worker that dies is started anew and its window is run again, by another one if need be. Workers elsewhere must see
the recordings under the same paths and have RINGMAKER_JIT=1 in their environment.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import dask
from distributed import Client, KilledWorker, LocalCluster, as_completed

import domain.jit
from backtest.data.findings import DataError
from backtest.engine.run import Settings
from backtest.search.work import Outcome, run_window

_DEATHS_MAX = 20  # of workers that held one window, before it is taken to be the window's fault
_CONNECT_TIMEOUT_S = 10
_CLOSE_TIMEOUT_S = 30
_SETTINGS = {
    "distributed.scheduler.allowed-failures": _DEATHS_MAX,
    "distributed.scheduler.worker-saturation": 3.0,  # windows wait at the worker: it never waits for the search
    "distributed.worker.daemon": True,
}


def _is_compiling() -> bool:
    return domain.jit.is_enabled()


class DaskWorkers:
    """Workers of Dask; used as a context."""

    def __init__(self, base: Settings, scheduler: str = "", processes: int = 0) -> None:
        """Start the workers, or find them.

        Args:
            base: what trials vary.
            scheduler: address of a scheduler, tcp://HOST:PORT; empty = workers of our own.
            processes: how many of our own; 0 = one for each core that this process may use.

        Raises:
            DataError: when the scheduler does not answer, or its workers do not compile kernels.
        """
        dask.config.set(_SETTINGS)
        self._base = base
        self._cluster: LocalCluster | None = None
        if scheduler:
            try:
                self._client = Client(scheduler, timeout=_CONNECT_TIMEOUT_S)
            except (OSError, TimeoutError, ValueError) as error:
                raise DataError(
                    f"--scheduler {scheduler}: no answer ({error}); start one with `dask scheduler`"
                ) from None
        else:
            wanted = processes or len(os.sched_getaffinity(0))
            self._cluster = LocalCluster(
                n_workers=wanted, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0,
                silence_logs=logging.ERROR,
            )  # fmt: skip
            self._client = Client(self._cluster)
        compiling = self._client.run(_is_compiling)
        if not compiling or set(compiling.values()) != {domain.jit.is_enabled()}:
            self.close()
            raise DataError(
                f"{scheduler or 'local workers'}: no worker, or one that compiles kernels otherwise than this process; "
                f"start workers with {domain.jit.ENV_JIT}={int(domain.jit.is_enabled())} in their environment"
            )
        self.count = len(compiling)
        self.busy_s = 0.0  # for which windows were being run, over all workers
        self._waiting = as_completed()
        self._keys: dict[Any, int] = {}

    def __enter__(self) -> DaskWorkers:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: Any, trace: TracebackType | None) -> None:
        self.close()

    def submit(self, key: int, path: str, parameters: dict[str, Any], floor: Sequence[float] | None) -> None:
        """Have a window run some time."""
        future = self._client.submit(run_window, path, self._base, parameters, floor, pure=False)
        self._keys[future] = key
        self._waiting.add(future)

    def next(self) -> tuple[int, Outcome]:
        """Wait for a window that was submitted; returns (its key, what came of it).

        Raises:
            DataError: when one window has taken too many workers with it.
        """
        future = next(self._waiting)
        key = self._keys.pop(future)
        try:
            outcome: Outcome = future.result()
            self.busy_s += outcome.wall_s
        except KilledWorker:
            raise DataError(f"trial {key}: {_DEATHS_MAX} workers died of it: see `dmesg` for want of memory") from None
        return key, outcome

    def cpu_s(self) -> float:
        """Return the processor time that the workers have used since they were started."""
        return float(sum(self._client.run(time.process_time).values()))

    def close(self) -> None:
        self._client.close()
        if self._cluster is not None:
            self._cluster.close(timeout=_CLOSE_TIMEOUT_S)
