"""How the processes of a session reach their venue: a local exchange of its own, or the real one, keys and account."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from domain.errors import ConfigError
from runtime import paths
from runtime.account_lock import AccountLock
from runtime.config import Config
from runtime.roles import resolve, roles_in
from runtime.supervision.local_exchange import LocalExchange
from venues.config import LOCAL_URL_VARIABLE, venue_url
from venues.credentials import KEY_FILE_VARIABLE, read_credentials
from venues.thalex.listing import fetch_instruments, unlisted_text


@dataclass(frozen=True, slots=True)
class VenueAccess:
    """What was opened, and what the actors are told of it.

    Attributes:
        variables: of the environment of every actor that connects.
        exchange: the local one; None at a real venue.
        account_fd: the account's lock, inherited by those who hold keys; a local exchange has no account but ours.
    """

    variables: dict[str, str]
    exchange: LocalExchange | None = None
    account_fd: int | None = None


def open_venue(config: Config, directory: Path, run: Path, stack: ExitStack, say: Callable[[str], None]) -> VenueAccess:
    """Start the local exchange, or check that there are keys for the real one and that nobody else trades the account.

    Its address, and where the session keeps its state, is left in `directory` for the one-shot kill. `stack` takes
    everything back.

    Raises:
        UserError: the exchange does not start, keys are missing, or another session has the account.
    """
    access, address = _start_exchange(config, directory, run, stack) or _take_account(config, stack, say)
    left = {**address, "state": str(paths.state_directory(config.session).absolute())}
    paths.write_atomically(directory / "venue.json", json.dumps(left).encode())
    return access


def open_public_venue(config: Config, directory: Path, run: Path, stack: ExitStack) -> VenueAccess:
    """Start the local exchange, where there is to be one; for public data nobody needs a key.

    Raises:
        UserError: the exchange does not start.
    """
    if config.venue.kind != "local":
        return VenueAccess({})
    exchange = LocalExchange(config.exchange, directory, run)
    stack.callback(exchange.stop)
    return VenueAccess({LOCAL_URL_VARIABLE: exchange.start().url}, exchange)


def names_of_roles(config: Config, variables: Mapping[str, str], realtime_ns: int) -> dict[str, str]:
    """Return what the venue lists now for each instrument that is named by a role (BTC-FUTURE-1)."""
    roles = roles_in(config)
    if not roles:
        return {}
    listed = fetch_instruments(config.venue, venue_url(config.venue, {**os.environ, **variables}))
    return resolve(roles, listed, realtime_ns)


def check_listed(config: Config, variables: Mapping[str, str]) -> None:
    """Ask the venue what it lists, before there is a run.

    Raises:
        UserError: it does not list an instrument of the configuration, or does not answer.
    """
    listed = fetch_instruments(config.venue, venue_url(config.venue, {**os.environ, **variables}))
    if missing := [name for name in config.instruments if name not in listed]:
        raise ConfigError("; ".join(unlisted_text(name, listed) for name in missing))


def _start_exchange(
    config: Config, directory: Path, run: Path, stack: ExitStack
) -> tuple[VenueAccess, dict[str, str]] | None:
    if config.venue.kind != "local":
        return None
    exchange = LocalExchange(config.exchange, directory, run)
    stack.callback(exchange.stop)
    ready = exchange.start()
    variables = {LOCAL_URL_VARIABLE: ready.url, KEY_FILE_VARIABLE: ready.key_file}
    return VenueAccess(variables, exchange), {"url": ready.url, "key_file": ready.key_file}


def _take_account(config: Config, stack: ExitStack, say: Callable[[str], None]) -> tuple[VenueAccess, dict[str, str]]:
    credentials = read_credentials(config.venue, os.environ)
    url = venue_url(config.venue, os.environ)
    account = f"{url} {config.venue.account or credentials.key_id}"
    lock = AccountLock(paths.run_root(), account, config.session, on_wait=say)
    stack.callback(lock.release)
    return VenueAccess({}, account_fd=lock.fd), {"url": url, "key_file": ""}
