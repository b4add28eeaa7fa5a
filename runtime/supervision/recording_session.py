"""`./cli.py record`: market data and a recorder, nobody who quotes. It reads no keys and sends subscriptions alone.

`runs/latest` stays what it is: the newest run that traded.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import msgspec

from domain.clock import NS_PER_S
from domain.errors import ConfigError, ExitCode, UserError
from domain.records import RECORDER
from runtime import paths
from runtime.clock import SystemClock
from runtime.config import Config, InstrumentConfig
from runtime.last_run import RECORDING_SUFFIX
from runtime.logs import open_log
from runtime.recordings.config import RecorderConfig
from runtime.recordings.files import FOLDER
from runtime.roles import with_names
from runtime.session import SessionLock, SessionSegments
from runtime.supervision.crew import Crew, anywhere
from runtime.supervision.local_exchange import LocalExchange
from runtime.supervision.shutdown import BACKGROUND_END_S, END_S, end_children
from runtime.supervision.signals import SignalPipe
from runtime.supervision.summary import read_counters
from runtime.supervision.venue_access import check_listed, names_of_roles, open_public_venue
from runtime.topology import SUPERVISOR
from shm.record import TableReader, load_row
from venues.config import VenueConfig, venue_url

SESSION_NAME_MAX = 24
POLL_S = 0.05
SAY_INTERVAL_S = 10.0


def recording_of(config: Config) -> Config:
    """Return the configuration of a recording of a session's instruments, beside which the session itself may run."""
    instruments = {
        name: msgspec.structs.replace(instrument, quote=False) for name, instrument in config.instruments.items()
    }
    return msgspec.structs.replace(
        config,
        session=config.session[: SESSION_NAME_MAX - len(RECORDING_SUFFIX)] + RECORDING_SUFFIX,
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
        session=f"{kind}{RECORDING_SUFFIX}",
        path=f"--venue {kind}",
        venue=VenueConfig(kind=kind, url=url),  # type: ignore[arg-type]
        recorder=RecorderConfig(enabled=True),
        is_market_data_only=True,
    )


def opening_words(instruments: Iterable[str], folder: Path, *, has_own_exchange: bool) -> str:
    """Return what is recorded, and where to; a market of its own must not be taken for that of a session beside it."""
    source = " from a local exchange of its own" if has_own_exchange else ""
    return f"recording {', '.join(instruments)}{source} to {folder}; Ctrl-C ends it"


class RecordingSession:
    """One recording from lock to the last file. What was opened is closed in reverse order, whatever happens.

    Args:
        say: told how it goes, by lines; like `say_error`, told why nothing came of it, it must not wait for a terminal.
    """

    def __init__(
        self,
        config: Config,
        *,
        seconds: float | None,
        say: Callable[[str], None],
        say_error: Callable[[str], None],
    ) -> None:
        self._config = config
        self._clock = SystemClock()
        self._seconds = seconds
        self._say = say
        self._say_error = say_error
        self._exit_code = ExitCode.CLEAN
        self._exchange: LocalExchange | None = None

    def run(self) -> ExitCode:
        """Record until a signal, the end of the time, or a fault that no restart mends; return the exit code.

        Raises:
            UserError: when it cannot begin.
        """
        if find_spec("pyarrow") is None:
            raise UserError("recording needs pyarrow: .venv/bin/pip install pyarrow")
        config = self._config
        self._signals = SignalPipe()
        with ExitStack() as stack:
            stack.callback(self._signals.close)
            directory = paths.make_private(paths.run_root()) / config.session
            lock = SessionLock(directory, config.session)
            stack.callback(lock.release)
            stack.callback(lock.clear_directory)
            run = paths.new_run(config.session)
            self._log = open_log(SUPERVISOR, run / "logs" / "supervisor.log", config.runtime.log_level)
            try:
                venue = open_public_venue(config, directory, run, stack)
                self._exchange = venue.exchange
                self._url = venue_url(config.venue, {**os.environ, **venue.variables})
                names = names_of_roles(config, venue.variables, self._clock.realtime_ns())
                config = with_names(config, names)
                if venue.exchange is not None:  # it answers at once; a real venue may be away, and is waited for
                    check_listed(config, venue.variables)
            except UserError:
                shutil.rmtree(run)
                raise
            has_own_exchange = venue.exchange is not None
            self._say(opening_words(config.instruments, run / FOLDER, has_own_exchange=has_own_exchange))
            segments = SessionSegments(config.session, config.topology)
            stack.callback(segments.unlink)
            segments.create()
            self._crew = Crew(self._clock, self._log, self._say)
            paths.write_atomically(run / paths.CONFIG_FILE, msgspec.json.encode(config))
            placements = anywhere(config.topology)
            self._crew.spawn(config, run, venue, segments, placements, self._clock.realtime_ns(), stack)
            self._watch(segments)
            self._end()
            self._tell_end(segments, run)
        return self._exit_code

    # ---- inside --------------------------------------------------------------------------------------

    def _watch(self, segments: SessionSegments) -> None:
        started_ns = say_ns = self._clock.monotonic_ns()
        recorder = TableReader(segments["recorder"])
        while self._exit_code is ExitCode.CLEAN:
            time.sleep(POLL_S)
            if self._signals.take():
                self._say("SIGHUP: a recording goes on as it was started; nothing is read again")
            if self._signals.stops:
                return
            now_ns = self._clock.monotonic_ns()
            self._watch_exchange()
            self._watch_crew(now_ns)
            if now_ns - say_ns > SAY_INTERVAL_S * NS_PER_S:
                say_ns = now_ns
                self._say(_state(recorder) if _received(segments) else f"no market data yet from {self._url}")
            if self._seconds is not None and now_ns - started_ns >= self._seconds * NS_PER_S:
                return

    def _watch_exchange(self) -> None:
        """End when the local exchange is gone: market data would look for it for ever."""
        exchange = self._exchange
        if exchange is None:
            return
        exchange.bound()
        if exchange.has_died:
            is_usage = exchange.exit_code == ExitCode.USAGE
            self._exit_code = ExitCode.USAGE if is_usage else ExitCode.VENUE_UNREACHABLE
            reason = f"the local exchange has ended (exit code {exchange.exit_code}): {exchange.last_line()}"
            self._log.error(reason)
            self._say_error(f"error: {reason}")

    def _watch_crew(self, now_ns: int) -> None:
        for _, note in self._crew.watch(now_ns):
            self._log.error(note.reason, exit_code=int(note.exit_code))
            self._say(f"error: {note.reason}")
            self._exit_code = note.exit_code

    def _end(self) -> None:
        """End market data, then the recorder, which has its last words to write; a second Ctrl-C does not wait."""
        begun = self._signals.stops

        def is_hurried() -> bool:
            self._signals.take()
            return self._signals.stops > begun

        for is_background, timeout_s in ((False, END_S), (True, BACKGROUND_END_S)):
            children = [child for child in self._crew.children if child.spec.is_background is is_background]
            end_children(children, timeout_s, is_hurried, self._log)

    def _tell_end(self, segments: SessionSegments, run: Path) -> None:
        counters = read_counters(segments)
        if not _received(segments) and self._exit_code is ExitCode.USAGE:
            shutil.rmtree(run)  # what was asked for cannot be recorded, and that was said
            return
        if not _received(segments) and self._exit_code is ExitCode.CLEAN:
            why = f"no market data came from {self._url}; check the address, the network and the venue's status page"
            self._say_error(f"error: nothing was recorded: {why}")
            self._exit_code = ExitCode.CRASH
        else:
            told = counters["recorder"]
            rows, files, lost = (
                counted(told[name], word) for name, word in (("rows", "row"), ("files", "file"), ("lost", "record"))
            )
            self._say(f"{rows} in {files}, {lost} lost: {run / FOLDER}")
        self._write_summary(counters, run / paths.SUMMARY_FILE)

    def _write_summary(self, counters: dict[str, dict[str, int]], path: Path) -> None:
        try:
            paths.write_atomically(path, json.dumps({"counters": counters}, indent=2).encode() + b"\n")
        except OSError as error:
            self._say_error(f"error: {path} cannot be written: {error.strerror}")
            if self._exit_code is ExitCode.CLEAN:
                self._exit_code = ExitCode.CRASH


def counted(number: int, word: str) -> str:
    """Return how many there are, in grammar: 1 row, 2 rows."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _received(segments: SessionSegments) -> int:
    """Return how much market data has come: books, tickers, trades."""
    told = read_counters(segments)["market_data"]
    return told["book_updates"] + told["tickers"] + told["trades"]


def _state(recorder: TableReader) -> str:
    """Return one line on what was recorded so far."""
    if not load_row(recorder, 0):
        return "nothing recorded yet"
    ints, trouble = recorder.ints, recorder.latest["trouble"][0].decode()
    lost = ints[RECORDER.word("lost")]
    text = counted(ints[RECORDER.word("rows")], "row") + (f", {counted(lost, 'record')} lost" if lost else "")
    return f"{text}; nothing is recorded: {trouble}" if trouble else text
