"""The whole round: the machine first, then what the configuration asks of it."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

from domain.errors import CredentialsError, UserError
from runtime import affinity, paths
from runtime.config import load_config
from runtime.doctor import machine, session, space
from runtime.doctor.finding import Finding, fail, ok
from runtime.dotenv import load_dotenv


def examine(path: Path, *, asks_venue: bool, environ: MutableMapping[str, str] = os.environ) -> list[Finding]:
    """Return what was found, in order. It sends no order and leaves nothing behind.

    Args:
        path: the configuration.
        asks_venue: whether to connect to a real venue, without a key, and ask what it lists.
    """
    cores = affinity.available_cores()
    found = [machine.look_at_python(), machine.look_at_load(os.getloadavg()[0], cores)]
    found += machine.look_at_frequency(cores)
    found += [machine.look_at_files(), machine.look_at_clock(), machine.look_at_segments(), session.look_at_kernels()]
    found.append(_look_at_dotenv(paths.home() / ".env", environ))
    try:
        config = load_config(path)
    except UserError as error:
        return [*found, fail("config", str(error), exit_code=error.exit_code)]
    words = f"{path}: session {config.session}, venue {config.venue.kind}, {', '.join(config.instruments)}"
    found += [ok("config", words), session.look_at_running(config), session.look_at_cores(config, cores)]
    found += session.look_at_rights(config)
    found += [session.look_at_room(config), session.look_at_disk(config), space.look_at_space(config.session)]
    found.append(session.look_at_latch(config))
    found.append(session.look_at_keys(config, environ))
    if asks_venue or config.venue.kind == "local":
        found += session.look_at_venue(config, environ)
    return found


def _look_at_dotenv(path: Path, environ: MutableMapping[str, str]) -> Finding:
    """Whether .env may be read by its owner alone; what it says is added to `environ`."""
    try:
        load_dotenv(path, environ)
    except CredentialsError as error:
        return fail(".env", str(error), exit_code=error.exit_code)
    return ok(".env", f"{path}, for its owner alone" if path.exists() else "none")
