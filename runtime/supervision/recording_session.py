"""`./cli.py record`: market data and a recorder, nobody who quotes. It reads no keys and sends subscriptions alone.

`runs/latest` stays what it is: the newest run that traded.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from domain.clock import NS_PER_S
from domain.errors import ConfigError, ExitCode, UserError
from domain.records import RECORDER
from runtime import affinity, paths
from runtime.clock import SystemClock
from runtime.config import Config, InstrumentConfig
from runtime.environment import ActorEnvironment
from runtime.logs import open_log
from runtime.recordings.config import RecorderConfig
from runtime.recordings.files import FOLDER
from runtime.restart_policy import GiveUp
from runtime.roles import resolve, roles_in, with_names
from runtime.session import SessionLock, SessionSegments
from runtime.supervision.children import Child
from runtime.supervision.deaths import Trail
from runtime.supervision.launch import Launcher
from runtime.supervision.local_exchange import LocalExchange
from runtime.supervision.shutdown import BACKGROUND_END_S, END_S, end_children
from runtime.supervision.summary import load_row, read_counters
from runtime.topology import SUPERVISOR
from shm.record import TableReader
from venues.config import LOCAL_URL_VARIABLE, VenueConfig, venue_url
from venues.thalex.listing import fetch_instruments

SESSION_NAME_MAX = 24
_SUFFIX = "-record"
POLL_S = 0.05
SAY_INTERVAL_S = 10.0


def recording_of(config: Config) -> Config:
    """Return the configuration of a recording of a session's instruments, beside which the session itself may run."""
    instruments = {
        name: msgspec.structs.replace(instrument, quote=False) for name, instrument in config.instruments.items()
    }
    return msgspec.structs.replace(
        config,
        session=config.session[: SESSION_NAME_MAX - len(_SUFFIX)] + _SUFFIX,
        instruments=instruments,
        strategies={},
        hedge={},
        recorder=msgspec.structs.replace(config.recorder, enabled=True),
        is_market_data_only=True,
    )


def recording_of_venue(kind: str, instruments: list[str], url: str) -> Config:
    """Return the configuration of a recording without a file.

    Raises:
        ConfigError: for a venue that there is not.
    """
    kinds = ("local", "thalex")
    if kind not in kinds:
        raise ConfigError(f"--venue {kind}: expected {' or '.join(kinds)}")
    return Config(
        instruments={name: InstrumentConfig(quote=False) for name in instruments},
        session=f"{kind}{_SUFFIX}",
        path=f"--venue {kind}",
        venue=VenueConfig(kind=kind, url=url),  # type: ignore[arg-type]
        recorder=RecorderConfig(enabled=True),
        is_market_data_only=True,
    )


class RecordingSession:
    """One recording from lock to the last file. What was opened is closed in reverse order, whatever happens."""

    def __init__(self, config: Config, *, seconds: float | None, say: Callable[[str], None]) -> None:
        self._config = config
        self._clock = SystemClock()
        self._seconds = seconds
        self._say = say
        self._exit_code = ExitCode.CLEAN
        self._signals = 0
        self._venue: dict[str, str] = {}
        self._children: list[Child] = []

    def run(self) -> ExitCode:
        """Record until a signal, the end of the time, or a fault that no restart mends; return the exit code.

        Raises:
            UserError: when it cannot begin.
        """
        if find_spec("pyarrow") is None:
            raise UserError("recording needs pyarrow: .venv/bin/pip install pyarrow")
        config = self._config
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        with ExitStack() as stack:
            directory = paths.make_private(paths.make_private(paths.run_root()) / config.session)
            lock = SessionLock(directory, config.session)
            stack.callback(lock.release)
            stack.callback(_empty_directory, directory)
            run = paths.new_run(config.session)
            self._log = open_log(SUPERVISOR, run / "logs" / "supervisor.log", config.runtime.log_level)
            try:
                self._open_venue(stack, directory, run)
                config = self._resolved(config)
            except UserError:
                shutil.rmtree(run)
                raise
            self._say(f"recording {', '.join(config.instruments)} to {run / FOLDER}; Ctrl-C ends it")
            segments = SessionSegments(config.session, config.topology)
            stack.callback(segments.unlink)
            segments.create()
            self._spawn(stack, config, segments, run)
            self._watch(segments)
            self._end()
            self._tell_end(segments, run)
        return self._exit_code

    # ---- inside --------------------------------------------------------------------------------------

    def _on_signal(self, _number: int, _frame: Any) -> None:
        self._signals += 1

    def _open_venue(self, stack: ExitStack, directory: Path, run: Path) -> None:
        if self._config.venue.kind == "local":
            exchange = LocalExchange(self._config.exchange, directory, run)
            stack.callback(exchange.stop)
            self._venue = {LOCAL_URL_VARIABLE: exchange.start().url}

    def _resolved(self, config: Config) -> Config:
        """Return the configuration with instruments named by a role replaced by what the venue lists now."""
        roles = roles_in(config)
        if not roles:
            return config
        listed = fetch_instruments(config.venue, venue_url(config.venue, {**os.environ, **self._venue}))
        return with_names(config, resolve(roles, listed, self._clock.realtime_ns()))

    def _spawn(self, stack: ExitStack, config: Config, segments: SessionSegments, run: Path) -> None:
        config_file = run / "config.json"
        paths.write_atomically(config_file, msgspec.json.encode(config))
        cores = affinity.available_cores()
        for spec in config.topology.actors:
            told = ActorEnvironment(
                session=config.session,
                actor=spec.name,
                config_file=config_file,
                artifacts_dir=run,
                state_dir=paths.state_directory(config.session),
                epoch=0,
                core=affinity.SHARED,
                supervisor_pid=os.getpid(),
                session_start_realtime_ns=self._clock.realtime_ns(),
                doorbell_fds={},
            )
            placement = affinity.Placement(frozenset(cores), affinity.SHARED)
            heartbeats = TableReader(segments[f"heartbeats.{spec.name}"])
            launcher = Launcher(spec, placement, told, self._venue)
            child = Child(spec, config.supervisor, launcher, Trail(run, spec.name), heartbeats)
            stack.callback(child.finish)
            child.spawn(self._clock.monotonic_ns())
            self._children.append(child)

    def _watch(self, segments: SessionSegments) -> None:
        started_ns = awake_since_ns = say_ns = self._clock.monotonic_ns()
        recorder = TableReader(segments["recorder"])
        while not self._signals and self._exit_code is ExitCode.CLEAN:
            before_ns = self._clock.monotonic_ns()
            time.sleep(POLL_S)
            now_ns = self._clock.monotonic_ns()
            if now_ns - before_ns > NS_PER_S // 2:
                awake_since_ns = now_ns  # this process did not run, and saw nobody
            self._watch_children(now_ns, awake_since_ns)
            if now_ns - say_ns > SAY_INTERVAL_S * NS_PER_S:
                say_ns = now_ns
                self._say(_state(recorder))
            if self._seconds is not None and now_ns - started_ns >= self._seconds * NS_PER_S:
                return

    def _watch_children(self, now_ns: int, awake_since_ns: int) -> None:
        for child in self._children:
            note = child.watch(now_ns, awake_since_ns)
            if isinstance(note, GiveUp):
                self._log.error(note.reason, exit_code=int(note.exit_code))
                self._say(f"error: {note.reason}")
                self._exit_code = note.exit_code
            elif note is not None:
                self._log.info(note.text, actor=child.spec.name, pid=child.pid)
                if note.is_trouble:
                    self._say(f"{child.spec.name}: {note.text}")

    def _end(self) -> None:
        """End market data, then the recorder, which has its last words to write; a second Ctrl-C does not wait."""
        begun = self._signals
        for is_background, timeout_s in ((False, END_S), (True, BACKGROUND_END_S)):
            children = [child for child in self._children if child.spec.is_background is is_background]
            end_children(children, timeout_s, lambda: self._signals > begun, self._log)

    def _tell_end(self, segments: SessionSegments, run: Path) -> None:
        counters = read_counters(segments)
        paths.write_atomically(
            run / "summary.json", json.dumps({"counters": counters}, indent=2).encode() + b"\n", 0o644
        )
        told = counters["recorder"]
        self._say(f"{told['rows']} rows in {told['files']} files, {told['lost']} records lost: {run / FOLDER}")


def _state(recorder: TableReader) -> str:
    """Return one line on what was recorded so far."""
    if not load_row(recorder, 0):
        return "nothing recorded yet"
    ints, trouble = recorder.ints, recorder.latest["trouble"][0].decode()
    lost = ints[RECORDER.word("lost")]
    text = f"{ints[RECORDER.word('rows')]} rows" + (f", {lost} records lost" if lost else "")
    return f"{text}; nothing is recorded: {trouble}" if trouble else text


def _empty_directory(directory: Path) -> None:
    for file in directory.iterdir():
        if file.name != "lock":
            file.unlink(missing_ok=True)
