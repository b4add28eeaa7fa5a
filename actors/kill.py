"""The last resort, alone: cancel everything at the venue and say what the venue shows. `python -m actors.kill`

It reads keys and configuration itself, opens its own connection, and needs no other process and no ZeroMQ. Shared
memory and the run directory are asked only who lives: a session that still runs is halted first, by a mark for its
risk, for a cancel beside a quoting bot is no cancel. A disk that does not take the mark in time, or the time of our
token, holds no cancel up; if the session may go on after all, that is said, and the exit code is not 0.

`./cli.py kill` is this module in the same process (`operate`): nothing that it does not need is imported before the
venue has confirmed; only then is the supervisor told.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from actors.halting import SessionHalt, living_execution, runs_execution
from actors.kill_config import recording_fault, session_of, venue_of
from actors.sweep import SweepResult, sweep
from domain.clock import NS_PER_MS, NS_PER_S, Clock
from domain.errors import ConfigError, ConnectivityError, ExitCode, UserError, VenueUnreachableError
from domain.order import RequestKind
from domain.reports import OrderReport, PositionReport, TradeReport
from runtime import paths
from runtime.arguments import Arguments
from runtime.clock import system_clock
from runtime.dotenv import load_dotenv
from runtime.logs import open_log
from runtime.secrecy import keep_private
from venues.config import LOCAL_URL_VARIABLE, VenueConfig, venue_url
from venues.credentials import KEY_FILE_VARIABLE, read_credentials
from venues.thalex.order_gateway import ThalexOrderGateway

TIMEOUT_S = 8.0
ANSWER_S = 10.0
LOCAL_TRIES_MAX = 3  # a local exchange that does not listen has ended, and its orders with it
STARTTIME_FIELD = 19  # of /proc/self/stat, counted after the name, in clock ticks since boot
KEEP_ALIVE_S = 0.2
EXECUTION_GONE_S = 2.0
TOKEN_WAIT_S = 0.25  # a disk that takes longer for a file is done without


class VenueFile(msgspec.Struct, frozen=True):
    """venue.json in the run directory: where a running session trades."""

    url: str
    key_file: str = ""


class _Deaf:
    """A listener for a gateway that is only asked."""

    def on_ready(self) -> None: ...
    def on_disconnected(self, reason: str) -> None: ...
    def on_orders(self, reports: list[OrderReport]) -> None: ...
    def on_rejected(self, kind: RequestKind, client_order_id: int, error: Exception) -> None: ...
    def on_trades(self, trades: list[TradeReport]) -> None: ...
    def on_positions(self, positions: list[PositionReport], is_snapshot: bool) -> None: ...
    def on_unreadable_trade(self, instrument_name: str, reason: str) -> None: ...
    def on_bad_frame(self, error: Exception) -> None: ...
    def on_alive(self, now_ns: int) -> None: ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Do it; return the exit code.

    0 = confirmed, and nothing of the session can place an order again; 1 = confirmed, but the session may go on;
    2 usage, 3 keys, 6 venue unreachable or not confirmed.
    """
    options = _parse(arguments)
    received_ns = system_clock(os.environ).monotonic_ns()
    halt = _prepare(options)
    if _is_refused(options):
        return ExitCode.USAGE
    exit_code = _kill(options, halt, received_ns)
    return _told(options.session, halt.fault(), exit_code)


def operate(arguments: Sequence[str], configs: Path) -> int:
    """Do it for an operator, then have the supervisor halt the session if it runs; return the exit code, as of `main`.

    Args:
        configs: the folder of configurations; SESSION.toml there is the default for a session that never ran here.
    """
    options = _parse([*arguments], configs)
    received_ns = system_clock(os.environ).monotonic_ns()
    session = options.session
    halt = _prepare(options)
    if _is_refused(options):
        return ExitCode.USAGE
    exit_code = _kill(options, halt, received_ns)
    from messages.commands import Kill
    from runtime.commands import send_command
    from runtime.session import is_supervised
    from runtime.topology import SUPERVISOR

    silence = ""
    try:
        if is_supervised(session):
            reply = send_command(session, SUPERVISOR, Kill(), ANSWER_S)
            if reply.ok:
                print(f"session halted: {reply.text}")
                return exit_code
            silence = reply.text
    except (ConnectivityError, UserError, OSError) as error:
        silence = str(error)
    fault = halt.fault()
    if silence and not fault:
        print(f"session halted by its mark for risk, without the supervisor: {silence}")
    return _told(session, fault, exit_code)


def _told(session: str, fault: str, exit_code: int) -> int:
    """Tell when the session is not halted, and return the exit code that this makes of one."""
    if not fault:
        return exit_code
    print(
        f"kill: session {session} is NOT halted: {fault}; it may quote again: stop it, then run the kill again",
        file=sys.stderr,
    )
    return exit_code or ExitCode.CRASH


def _prepare(options: argparse.Namespace) -> SessionHalt:
    """Read .env, which may also say where running sessions lie, and find out who lives."""
    keep_private(holds_keys=True)
    load_dotenv(paths.home() / ".env", warn=_warn)
    return SessionHalt(options.session, must_latch=options.latch, is_ending=options.session_ends)


def _is_refused(options: argparse.Namespace) -> bool:
    """Return whether a recording is meant, which places no order, and say so."""
    fault = recording_fault(options.session, options.config)
    if not fault or living_execution(options.session):
        return False
    print(f"kill: {fault}", file=sys.stderr)
    return True


def _kill(options: argparse.Namespace, halt: SessionHalt, received_ns: int) -> int:
    try:
        session = options.session
        halt.begin()
        if options.kill_execution:
            kill_execution(session)
        venue = venue_of(session, options.config, options.default, _warn)
        find_venue(session, venue, os.environ)
        result = asyncio.run(cancel_everything(venue, session, options.timeout_s))
    except UserError as error:
        print(f"kill: {error}", file=sys.stderr)
        return error.exit_code
    if result.is_confirmed:
        print(f"0 open orders, confirmed by the venue ({_timing(result, received_ns)})", flush=True)
        return ExitCode.CLEAN
    shown = "an unknown number of" if result.open_orders < 0 else str(result.open_orders)
    print(
        f"kill: NOT confirmed after {options.timeout_s:g} s: {shown} orders open as last shown"
        f"{f' ({result.last_error})' if result.last_error else ''}: run it again, or cancel on the venue's web page",
        file=sys.stderr,
    )
    return ExitCode.VENUE_UNREACHABLE


def _warn(fault: str) -> None:
    print(f"kill: warning: {fault}", file=sys.stderr)


def _timing(result: SweepResult, received_ns: int) -> str:
    """Return when the first cancel was sent: since the command was read, and since this process began."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[STARTTIME_FIELD])
    began_ns = ticks * NS_PER_S // os.sysconf("SC_CLK_TCK")
    age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - began_ns
    since_cancel_ns = system_clock(os.environ).monotonic_ns() - result.first_cancel_ns
    read_ms = (result.first_cancel_ns - received_ns) // NS_PER_MS
    start_ms = (age_ns - since_cancel_ns) // NS_PER_MS
    return f"cancel sent {read_ms} ms after the command was read, {start_ms} ms after this process began"


def _parse(arguments: Sequence[str] | None, configs: Path | None = None) -> argparse.Namespace:
    program = "python -m actors.kill" if configs is None else "cli.py kill"
    parser = Arguments(prog=program, description=__doc__.partition("\n")[0])
    add = parser.add_argument
    told = "configuration, also a run's config.json; of several the first that can be read; default: of its newest run"
    add("--config", type=Path, action="append", default=[], metavar="PATH", help=told)
    add("--session", "-s", default="", metavar="NAME", help="session's name (the configuration's file name)")
    add("--timeout-s", type=_seconds, default=TIMEOUT_S, metavar="S", help="give up after this long (%(default)s)")
    add("--latch", action="store_true", help="have risk stay halted until a resume; always done while the session runs")
    add("--session-ends", action="store_true", help="who asks ends the session: halt it only while execution lives")
    add("--kill-execution", action="store_true", help="SIGKILL the session's execution process first")
    options = parser.parse_args(arguments)
    if not (options.session or options.config or configs):
        parser.error("expected --session NAME or --config PATH")
    try:
        options.session = options.session or (session_of(options.config[0]) if options.config else "local")
    except ConfigError as error:
        parser.error(str(error))
    options.default = configs / f"{options.session}.toml" if configs is not None else None
    return options


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 600:
        raise argparse.ArgumentTypeError(f"{text}: expected seconds above 0, at most 600")
    return value


def find_venue(session: str, venue: VenueConfig, environ: MutableMapping[str, str]) -> None:
    """Put a local session's address and key file into `environ`, where it does not say otherwise.

    Raises:
        ConfigError: if the venue is local and no session of that name has left where it is.
    """
    if venue.kind != "local" or environ.get(LOCAL_URL_VARIABLE):
        return
    path = paths.run_directory(session) / "venue.json"
    try:
        left = msgspec.json.decode(path.read_bytes(), type=VenueFile)
    except FileNotFoundError:
        if venue.url:
            return
        raise ConfigError(
            f"session {session}: {path} is not there: the session does not run, and its local exchange died with it; "
            f"for another exchange set {LOCAL_URL_VARIABLE} and {KEY_FILE_VARIABLE}"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); set {LOCAL_URL_VARIABLE}") from None
    environ[LOCAL_URL_VARIABLE] = left.url
    if left.key_file:
        environ.setdefault(KEY_FILE_VARIABLE, left.key_file)


# ---- the session, if there still is one ------------------------------------------------------------------


def kill_execution(session: str) -> None:
    """SIGKILL the session's execution, if it lives, and wait until it is gone."""
    pid = living_execution(session)
    if not pid:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + EXECUTION_GONE_S
    while runs_execution(pid) and time.monotonic() < deadline:
        time.sleep(0.01)


# ---- the venue -------------------------------------------------------------------------------------------


async def cancel_everything(venue: VenueConfig, session: str, timeout_s: float) -> SweepResult:
    """Connect, cancel and look until the venue shows nothing twice, or the time is over.

    Raises:
        CredentialsError: keys are missing or refused.
        VenueUnreachableError: no connection within the time.
    """
    clock = system_clock(os.environ)
    deadline_ns = clock.monotonic_ns() + int(timeout_s * NS_PER_S)
    url = venue_url(venue, os.environ)
    # At a real venue time decides when to give up, not the number of tries.
    tries_max = LOCAL_TRIES_MAX if venue.kind == "local" else 1000
    patient = msgspec.structs.replace(venue, connect_tries_max=tries_max, backoff_ms_max=500, backoff_ms_min=100)
    gateway = ThalexOrderGateway(
        patient,
        url,
        read_credentials(venue, os.environ, is_checked=True),
        _token_directory(session),
        _Deaf(),
        clock,
        open_log("kill", None, "error"),
        is_errand=True,
    )
    gateway.start()
    breathing = asyncio.create_task(_keep_alive(gateway, clock))
    try:
        await gateway.wait_ready(timeout_s)
        left_s = max(0.5, (deadline_ns - clock.monotonic_ns()) / NS_PER_S)
        return await sweep(gateway, clock, timeout_s=left_s)
    except VenueUnreachableError as error:
        if venue.kind != "local":
            raise
        ended = "nobody listens there: the local exchange has ended, and every order with it"
        raise VenueUnreachableError(f"{url}: {ended} ({error.__cause__})") from None
    except ConnectivityError as error:
        raise VenueUnreachableError(
            f"{url}: {error}: check the network, then run it again, or cancel on the venue's web page"
        ) from None
    finally:
        breathing.cancel()
        await gateway.close()


async def _keep_alive(gateway: ThalexOrderGateway, clock: Clock) -> None:
    while True:
        gateway.keep_alive(clock.monotonic_ns())
        await asyncio.sleep(KEEP_ALIVE_S)


def _token_directory(session: str) -> Path | None:
    """Return where the key's last token time is kept; None when the disk takes no file there in time."""
    taken: list[Path] = []

    def look() -> None:
        with suppress(OSError, UserError):
            directory = paths.state_directory(session)
            with tempfile.TemporaryFile(dir=directory) as probe:
                probe.write(b"0")
            taken.append(directory)

    looking = threading.Thread(target=look, name="token folder", daemon=True)
    looking.start()
    looking.join(TOKEN_WAIT_S)
    return taken[0] if taken else None


if __name__ == "__main__":
    sys.exit(main())
