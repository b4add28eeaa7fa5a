"""What sessions have left in runs/: what one ran with last, and which run is meant when none is named."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from domain.errors import UserError
from runtime import paths
from runtime.paths import CONFIG_FILE, JOURNAL_FILE

RECORDING_SUFFIX = "-record"  # of the names that `./cli.py record` gives
JOURNAL_HEAD_BYTES = 4096  # beyond the words of each life that begins, the first messages stand here


class LastRun(NamedTuple):
    """The folder of a run, and the file that it was started with: may be gone since; None where nobody can tell."""

    folder: Path
    config: Path | None


class _Named(msgspec.Struct):
    """The part of a run's config.json that says whose it is."""

    session: str
    path: str


class _Kind(msgspec.Struct):
    """The part of a run's config.json that says whether it traded."""

    is_market_data_only: bool = False


def last_run(session: str) -> LastRun | None:
    """Return the newest run of a session here; None where there is none.

    One that cannot be read is known by its folder's name, and still the newest: an older one may have run otherwise.
    """
    own_name = re.compile(rf"\d{{8}}-\d{{6}}-{re.escape(session)}(-\d+)?")
    for run in _folders():
        named = _named(run)
        if named is None and own_name.fullmatch(run.name):
            return LastRun(run, None)
        if named is not None and named.session == session:
            return LastRun(run, Path(named.path))
    return None


def choose_run(given: Path | None, session: str = "") -> Path:
    """Return the folder of the run that is meant: by path, by name, or else the newest in which an order was sent.

    Which one that is, is said on standard error. Where no run has an order it is the newest: what it lacks tells why.

    Args:
        session: only runs of it; empty = of all.

    Raises:
        UserError: when there is none, or both are given.
    """
    if given is not None:
        if session:
            raise UserError(f"{given} and --session {session}: give one of them")
        return paths.find_run(given)
    runs = [run for run, named in _runs() if not session or named.session == session]
    if not runs and session:
        raise UserError(
            f"no session {session} has run from {paths.home()} yet; {how_to_start(session, Path('configs'))}"
        )
    if not runs:
        return paths.find_run(None)
    with_orders = next((run for run in runs if has_orders(run)), None)
    passed_over = "" if with_orders in (None, runs[0]) else f"; {runs[0].name} is newer, and no order was sent in it"
    print(f"run: {(with_orders or runs[0]).name}{passed_over}", file=sys.stderr)
    return with_orders or runs[0]


def is_recording(session: str) -> bool:
    """Return whether what ran last under this name was a recording of market data alone: it trades nothing.

    Where the name is none of a recording no run is looked at.
    """
    last = last_run(session) if session.endswith(RECORDING_SUFFIX) else None
    return last is not None and is_run_of_market_data(last.folder / CONFIG_FILE)


def is_run_of_market_data(config: Path) -> bool:
    """Return whether a run's config.json says that nobody traded in it; False where it cannot be read."""
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(config.read_bytes(), type=_Kind).is_market_data_only
    return False


def runs_of(session: str) -> Iterator[Path]:
    """Yield the runs of a session here, newest first; one whose configuration cannot be read is nobody's."""
    return (run for run, named in _runs() if named.session == session)


def has_orders(run: Path) -> bool:
    """Return whether execution came so far in a run that it wrote down a message."""
    journal = run / JOURNAL_FILE
    with suppress(OSError), journal.open("rb") as file:
        return b"sent" in file.read(JOURNAL_HEAD_BYTES) or journal.with_name(f"{JOURNAL_FILE}.1").exists()
    return False


def _runs() -> Iterator[tuple[Path, _Named]]:
    """Yield every run of a session with what its configuration says, newest first, where that can be read."""
    for run in _folders():
        if (named := _named(run)) is not None:
            yield run, named


def _folders() -> Iterator[Path]:
    """Yield the folder of every run that came to have a configuration, newest first."""
    for path in sorted((paths.home() / "runs").glob(f"*/{CONFIG_FILE}"), reverse=True):
        if not path.parent.is_symlink():
            yield path.parent


def _named(run: Path) -> _Named | None:
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((run / CONFIG_FILE).read_bytes(), type=_Named)
    return None


def how_to_start(session: str, configs: Path) -> str:
    """Return what starts a session: the file that it ran with last, else the one of its name here or in `configs`."""
    last = last_run(session)
    if last is not None and last.config is not None and last.config.is_file():
        return f"start it with `make run CONFIG={_shown(last.config)}`"
    for folder in (Path.cwd(), configs):
        if (folder / f"{session}.toml").is_file():
            return f"start it with `make run CONFIG={_shown(folder / f'{session}.toml')}`"
    return f"a session is named after its file: `make run CONFIG=FOLDER/{session}.toml` starts this one"


def _shown(path: Path) -> Path:
    """Return a path as it is written from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
