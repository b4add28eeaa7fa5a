"""What a session ran with last, as its newest folder in runs/ tells: for hints."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from runtime import paths

CONFIG_FILE = "config.json"  # of a run (runtime/supervision/crew.py)


class LastRun(NamedTuple):
    """The folder of a run, and the configuration file that it was started with; that may be gone since."""

    folder: Path
    config: Path


class _Named(msgspec.Struct):
    """The part of a run's config.json that says whose it is."""

    session: str
    path: str


def last_run(session: str) -> LastRun | None:
    """Return the newest run of a session here; None where there is none that can be read."""
    for path in sorted((paths.home() / "runs").glob(f"*-{session}*/{CONFIG_FILE}"), reverse=True):
        with suppress(OSError, msgspec.DecodeError):
            found = msgspec.json.decode(path.read_bytes(), type=_Named)
            if found.session == session:
                return LastRun(path.parent, Path(found.path))
    return None


def how_to_start(session: str, configs: Path) -> str:
    """Return what starts a session: the file that it ran with last, else the one of its name here or in `configs`."""
    last = last_run(session)
    if last is not None and last.config.is_file():
        return f"start it with `make run CONFIG={_shown(last.config)}`"
    for folder in (Path.cwd(), configs):
        if (folder / f"{session}.toml").is_file():
            return f"start it with `make run CONFIG={_shown(folder / f'{session}.toml')}`"
    return f"a session is named after its file: `make run CONFIG=FOLDER/{session}.toml` starts this one"


def _shown(path: Path) -> Path:
    """Return a path as it is written from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
