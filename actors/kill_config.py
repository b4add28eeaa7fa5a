"""Which venue a session trades at, as the kill learns it: by a file that it is given, or by what the session ran with.

A file that was edited since the start may be broken, gone, or of another version. The run's own copy is then the better
witness, and of that copy only what names the venue has to be understood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from domain.errors import ConfigError
from runtime import paths
from runtime.config import load_config
from runtime.last_run import is_recording, is_run_of_market_data, last_run
from runtime.paths import CONFIG_FILE
from venues.config import VenueConfig


class _Ran(msgspec.Struct, frozen=True):
    """The part of a run's config.json that a kill needs."""

    session: str
    venue: VenueConfig


def session_of(path: Path) -> str:
    """Return the name of the session that a configuration is of.

    Raises:
        ConfigError: if it is a run's and cannot be read.
    """
    return _ran(path).session if path.suffix == ".json" else path.stem


def recording_fault(session: str, named: Sequence[Path]) -> str:
    """Return why there is nothing to cancel, where what is meant is a recording of market data alone; else empty.

    Its venue and the keys of .env are those of an account on which others trade: their orders are not meant.
    """
    is_copy = bool(named) and named[0].suffix == ".json"
    if not (is_run_of_market_data(named[0]) if is_copy else not named and is_recording(session)):
        return ""
    return (
        f"session {session} is a recording of market data and has no orders: nothing is cancelled; "
        f"`./cli.py stop -s {session}` ends it; to cancel the orders of a session name that one"
    )


def venue_of(session: str, named: Sequence[Path], default: Path | None, warn: Callable[[str], None]) -> VenueConfig:
    """Return the venue of the first configuration named that can be read; else of what the session ran with last.

    Of its runs the newest alone counts: an older one may have traded elsewhere.

    Args:
        default: the session's file, for one that never ran here.
        warn: told why it goes by another configuration than the one that is named.

    Raises:
        ConfigError: when there is none, or none can be read.
    """
    faults: list[str] = []
    for path in _candidates(session, named):
        try:
            found = _ran(path).venue if path.suffix == ".json" else load_config(path).venue
        except ConfigError as error:
            faults.append(str(error))
            continue
        if faults:
            warn(f"{'; '.join(faults)}; going by {path}")
        return found
    if not faults:
        return _of_file(session, default)
    raise ConfigError("; ".join(faults))


def _candidates(session: str, named: Sequence[Path]) -> Iterator[Path]:
    """Yield what is named, and at last what the newest run went by: among thousands it takes 100 ms to be found."""
    yield from dict.fromkeys(named)
    last = last_run(session)
    if last is not None and last.folder / CONFIG_FILE not in named:
        yield last.folder / CONFIG_FILE


def _of_file(session: str, default: Path | None) -> VenueConfig:
    if default is None or not default.is_file():
        ran = f"no session {session!r} has run from {paths.home()}"
        lacks = f", and there is no {default}" if default is not None else ""
        raise ConfigError(f"{ran}{lacks}: name it with --session NAME, or its configuration with --config PATH")
    return load_config(default).venue


def _ran(path: Path) -> _Ran:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Ran)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            f"{path}: what the session ran with cannot be read ({error}): name a configuration with --config PATH"
        ) from None
