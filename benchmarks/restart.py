"""How soon quotes are there: `python -m benchmarks.restart [--check] [--rounds N]`.

    start          from starting the supervisor to an order of ours on each side at the venue
    NAME           from SIGKILL of that actor to the first quote that its next life brought about
    NAME.standby   likewise, with a successor that waits prepared ([supervisor] standby)

Of strategy the first quote is the first wish of its new life, of market_data the first wish made from a book of its new
life, of execution both sides confirmed at the venue by its new life. The market ticks 100 times a second meanwhile.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.full_system import FullSystem, full_system
from benchmarks.probe_ticks import START_TIMEOUT_S
from benchmarks.processes import BenchmarkError, Probe, last_lines, running
from benchmarks.report import Line, environment, exit_code, figure, show
from benchmarks.tick_to_order import PACKAGES, environment_with_key
from domain.records import ACCOUNT, BOOK, WISH
from runtime.session import open_session_segment
from shm.errors import RecordBusyError, SegmentError
from shm.record import TableReader

KILLED = ("strategy", "market_data", "execution")
TARGETS_S = {
    "start": 4.0, "strategy": 2.0, "market_data": 1.0, "execution": 2.0,
    **{f"{name}.standby": 0.3 for name in KILLED},
}  # fmt: skip
STANDBY = f"\n[supervisor]\nstandby = {list(KILLED)!r}\n".replace("'", '"')
RATE, STREAM_S, WARMUP_TICKS = 100, 120, 20
LOOK_S = 0.001
RESTART_TIMEOUT_S = 20.0
SETTLE_S = 1.0
STANDBY_TIMEOUT_S = 20.0
_WISH_EPOCH, _WISH_BIDS, _WISH_MADE = (WISH.word(name) for name in ("strategy_epoch", "bid_count", "computed_time_ns"))
_BOOK_IS_VALID, _BOOK_TIME = BOOK.word("is_valid"), BOOK.word("receive_time_ns")
_ACCOUNT_IS_KNOWN, _ACCOUNT_UPDATED = ACCOUNT.word("is_known"), ACCOUNT.word("updated_time_ns")
_ACCOUNT_BIDS, _ACCOUNT_ASKS = ACCOUNT.word("bid_count"), ACCOUNT.word("ask_count")


class Quotes:
    """A session's first instrument, seen from outside: whether it is quoted, and by which life of whom."""

    def __init__(self, session: str) -> None:
        self._wishes = self._table(session, "wishes")
        self._books = self._table(session, "book_table")
        self._accounts = self._table(session, "accounts")

    @staticmethod
    def _table(session: str, name: str) -> TableReader:
        return TableReader(open_session_segment(session, name, writable=False))

    def is_at_venue(self, since_ns: int = 0) -> bool:
        """Return whether execution has said since then that both sides rest."""
        ints = self._accounts.ints
        if not _load(self._accounts):
            return False
        is_quoted = ints[_ACCOUNT_BIDS] > 0 and ints[_ACCOUNT_ASKS] > 0
        return bool(ints[_ACCOUNT_IS_KNOWN] and is_quoted and ints[_ACCOUNT_UPDATED] >= since_ns)

    def is_wished(self, since_ns: int) -> bool:
        """Return whether strategy has wished for quotes since then."""
        ints = self._wishes.ints
        return _load(self._wishes) and ints[_WISH_BIDS] > 0 and ints[_WISH_MADE] >= since_ns

    def epoch_of(self, actor: str) -> int:
        """Return which life of an actor wrote last."""
        if actor == "strategy":
            return self._wishes.ints[_WISH_EPOCH] if _load(self._wishes) else 0
        return {"market_data": self._books, "execution": self._accounts}[actor].epoch

    def is_back(self, actor: str, killed_ns: int) -> bool:
        """Return whether the life after the killed one has brought a quote about; `epoch_of` has changed already."""
        if actor == "strategy":
            return self.is_wished(killed_ns)
        if actor == "execution":
            return self.is_at_venue(killed_ns)
        if not _load(self._books) or not self._books.ints[_BOOK_IS_VALID]:
            return False
        book_ns = self._books.ints[_BOOK_TIME]
        return book_ns >= killed_ns and self.is_wished(killed_ns)


def _load(table: TableReader) -> bool:
    try:
        return table.load(0) != 0
    except RecordBusyError:
        return False


def measure(rounds: int) -> dict[str, list[float]]:
    """Return seconds by figure, an item a round.

    Raises:
        BenchmarkError: quotes did not come.
    """
    found: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="rmbench-") as folder:
        environ = environment_with_key(Path(folder))
        for number in range(rounds):
            for suffix, extra in (("", ""), (".standby", STANDBY)):
                home = Path(folder) / f"{number}{suffix}"
                for name, seconds in _measure_session(home, environ, extra).items():
                    found[name + (suffix if name != "start" else "")].append(seconds)
                print(f"round {number + 1}/{rounds}{suffix}", file=sys.stderr, flush=True)
    return found


def _measure_session(home: Path, environ: Mapping[str, str], extra: str) -> dict[str, float]:
    log = home.with_suffix(".probe")
    arguments = [
        "-m", "benchmarks.probe_venue", "--ticks", str(RATE * STREAM_S), "--warmup-ticks", str(WARMUP_TICKS),
        "--rate", str(RATE),
    ]  # fmt: skip
    with running(arguments, log, environ, is_heard=True) as venue:
        url = Probe(venue, log).url
        began_s = time.monotonic()
        with full_system(f"bench{os.getpid()}-restart", url, home, environ, extra=extra) as system:
            quotes = _attached(system)
            _await(system, quotes.is_at_venue, START_TIMEOUT_S, "quotes at the venue")
            found = {"start": time.monotonic() - began_s}
            for actor in KILLED:
                time.sleep(SETTLE_S)
                if extra:
                    _await(system, partial(_has_standby, system, actor), STANDBY_TIMEOUT_S, "a standby")
                found[actor] = _kill(system, quotes, actor)
                _await(system, quotes.is_at_venue, RESTART_TIMEOUT_S, "quotes at the venue")
    return found


def _attached(system: FullSystem) -> Quotes:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return Quotes(system.name)
        except (SegmentError, FileNotFoundError):
            if time.monotonic() > deadline_s:
                raise BenchmarkError(f"no segments: {last_lines(system.log)}") from None
            time.sleep(LOOK_S)


def _has_standby(system: FullSystem, actor: str) -> bool:
    return str(system.status()["actors"][actor]["standby"]) == "ready"


def _kill(system: FullSystem, quotes: Quotes, actor: str) -> float:
    """Return the seconds from SIGKILL to the next life's first quote."""
    pid = int(system.status()["actors"][actor]["pid"])
    epoch = quotes.epoch_of(actor)
    killed_ns = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)

    def is_back() -> bool:
        return quotes.epoch_of(actor) > epoch and quotes.is_back(actor, killed_ns)

    return _await(system, is_back, RESTART_TIMEOUT_S, f"quotes after {actor} was killed")


def _await(system: FullSystem, condition: Callable[[], bool], timeout_s: float, what: str) -> float:
    """Return the seconds until `condition` held."""
    began_s = time.monotonic()
    while not condition():
        if system.process.poll() is not None:
            raise BenchmarkError(f"the session ended with {system.process.returncode}: {last_lines(system.log)}")
        if time.monotonic() - began_s > timeout_s:
            raise BenchmarkError(f"no {what} within {timeout_s:g} s: {last_lines(system.log)}")
        time.sleep(LOOK_S)
    return time.monotonic() - began_s


def lines_of(found: Mapping[str, Sequence[float]]) -> list[Line]:
    """Return the report."""
    return [figure(name, found[name], "s", target_max=target) for name, target in TARGETS_S.items()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.restart", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("expected --rounds >= 1")
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that everything is ended
    try:
        found = measure(options.rounds)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    lines = lines_of(found)
    show(environment(PACKAGES), lines)
    return exit_code(lines, is_check=options.check)


if __name__ == "__main__":
    sys.exit(main())
