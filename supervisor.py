"""The supervisor: one instance a session; spawns, watches, restarts and ends the actors. It never trades.

Usage: python supervisor.py CONFIG [--seconds N] [--replay FILE...]

Its loop is a list of verbs: take signals, watch children, serve commands, show status. Decisions are pure
(runtime/restart_policy.py, runtime/affinity.py); its parts stand in runtime/supervision/.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from domain.clock import NS_PER_S
from domain.codes import RiskReason
from domain.errors import CredentialsError, ExitCode, UserError
from messages import commands
from messages.commands import AnyCommand, Reply
from runtime import affinity, paths
from runtime.account_lock import AccountLock
from runtime.clock import system_clock
from runtime.command_journal import COMMANDS_FOLDER, CommandJournal
from runtime.commands import CommandServer, Request
from runtime.config import Config, load_config
from runtime.dotenv import load_dotenv
from runtime.environment import ActorEnvironment
from runtime.lifecycle import ChildState
from runtime.logs import log_lines_lost, open_log
from runtime.restart_policy import FINAL_EXIT_CODES, GiveUp
from runtime.roles import resolve, roles_in, with_instrument, with_names
from runtime.secrecy import keep_private
from runtime.session import SessionLock, SessionSegments
from runtime.supervision.children import Child
from runtime.supervision.deaths import Trail
from runtime.supervision.launch import Launcher
from runtime.supervision.local_exchange import LocalExchange
from runtime.supervision.log_watch import LogWatch, lost_lines_of
from runtime.supervision.relay import Relay, legs_of
from runtime.supervision.reloading import Reloading
from runtime.supervision.screen import SessionConsole, StatusScreen, status_line, summary_lines
from runtime.supervision.service_manager import ServiceManager
from runtime.supervision.shutdown import Shutdown
from runtime.supervision.status import StatusReader, is_kill_latched
from runtime.supervision.summary import build_summary
from runtime.topology import SUPERVISOR
from runtime.vitals import read_vitals
from shm.doorbell import Doorbell
from shm.record import TableReader
from venues.config import LOCAL_URL_VARIABLE, venue_url
from venues.credentials import ADVICE, KEY_FILE_VARIABLE, read_credentials
from venues.thalex.listing import fetch_instruments

POLL_S = 0.02
AWAY_NS = NS_PER_S // 2  # a turn of the loop that takes longer: this process did not run, and saw nobody
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
OPERATOR_REASONS = (RiskReason.OPERATOR, RiskReason.KILL)


class Supervisor:
    """One session from lock to summary. What was opened is closed in reverse order, whatever happens."""

    def __init__(self, config: Config, *, seconds: float | None) -> None:
        self._config = config
        self._topology = config.topology
        self._clock = system_clock(os.environ)
        self._seconds = seconds
        self._exit_code = ExitCode.CLEAN
        self._signals: list[int] = []
        self._stop_requests: list[Request] = []
        self._is_stopping = False
        self._flatten = config.supervisor.flatten_on_shutdown
        self._first_quote_ns: int | None = None
        self._held_back = ""
        self._venue: dict[str, str] = {}
        self._roles: dict[str, str] = {}
        self._exchange: LocalExchange | None = None
        self._account_lock: AccountLock | None = None  # a local exchange has no account but ours
        self._children: list[Child] = []
        self._replacing: list[tuple[Request, Child, int]] = []  # whom to answer, who, and which life of it ends
        self._is_ready = False
        self._manager = ServiceManager(os.environ, self._clock)
        self._has_terminal = _has_terminal()
        self._console = SessionConsole(highlight=False)

    def run(self) -> ExitCode:
        """Run the session to its end and return the exit code."""
        config = self._config
        self._started_ns = self._clock.monotonic_ns()
        self._started_realtime_ns = self._clock.realtime_ns()
        with ExitStack() as stack:
            stack.callback(self._manager.close)
            self._signal_fd = _catch_signals(stack)
            self._directory = paths.make_private(paths.make_private(paths.run_root()) / config.session)
            lock = SessionLock(self._directory, config.session)
            stack.callback(lock.release)
            stack.callback(_empty_directory, self._directory)
            self._run = paths.new_run(config.session)
            self._log = open_log(SUPERVISOR, self._run / "logs" / "supervisor.log", config.runtime.log_level)
            try:
                self._open_venue(stack)
                self._resolve_roles()
            except UserError:
                shutil.rmtree(self._run)  # nothing ran: there is nothing to keep
                raise
            paths.point_latest(self._run)
            self._segments = SessionSegments(config.session, self._topology)
            stack.callback(self._segments.unlink)
            self._segments.create()
            journal = CommandJournal(self._run / COMMANDS_FOLDER / f"{SUPERVISOR}.jsonl", self._clock)
            self._commands = CommandServer(config.session, SUPERVISOR, journal)
            stack.callback(self._commands.close)
            self._relay = Relay(config.session, self._note_command)
            stack.callback(self._relay.close)
            self._reloading = Reloading(self._config, self._roles, self._run, self._relay, self._clock, self._log)
            self._spawn_all(stack)
            self._run_loop()
            self._finish()
        return self._exit_code

    # ---- start -----------------------------------------------------------------------------------

    def _open_venue(self, stack: ExitStack) -> None:
        """Start the local exchange, or check that there are keys for the real one."""
        config = self._config
        if config.venue.kind == "local":
            self._exchange = LocalExchange(config.exchange, self._directory, self._run)
            stack.callback(self._exchange.stop)
            ready = self._exchange.start()
            if config.exchange.replay:
                self._say(f"replaying {', '.join(config.exchange.replay)}")
            self._venue = {LOCAL_URL_VARIABLE: ready.url, KEY_FILE_VARIABLE: ready.key_file}
            venue = {"url": ready.url, "key_file": ready.key_file}
            self._log.info("local exchange listens", url=ready.url)
        else:
            credentials = read_credentials(config.venue, os.environ)
            venue = {"url": venue_url(config.venue, os.environ), "key_file": ""}
            account = f"{venue['url']} {config.venue.account or credentials.key_id}"
            self._account_lock = AccountLock(paths.run_root(), account, config.session, on_wait=self._say)
            stack.callback(self._account_lock.release)
        paths.write_atomically(self._directory / "venue.json", json.dumps(venue).encode())

    def _resolve_roles(self) -> None:
        """Replace instruments named by a role (BTC-FUTURE-1) by what the venue lists now."""
        roles = roles_in(self._config)
        if not roles:
            return
        listed = fetch_instruments(self._config.venue, venue_url(self._config.venue, {**os.environ, **self._venue}))
        names = resolve(roles, listed, self._clock.realtime_ns())
        self._config, self._roles = with_names(self._config, names), names
        self._topology = self._config.topology
        for role, name in names.items():
            self._say(f"{role} is {name}")

    def _spawn_all(self, stack: ExitStack) -> None:
        config = self._config
        config_file = self._run / "config.json"
        paths.write_atomically(config_file, msgspec.json.encode(config))
        doorbells = {name: Doorbell.create() for name in self._topology.doorbells}
        for doorbell in doorbells.values():
            stack.callback(doorbell.close)
        doorbell_fds = {name: doorbell.fd for name, doorbell in doorbells.items()}
        told = ActorEnvironment(
            session=config.session,
            actor="",
            config_file=config_file,
            artifacts_dir=self._run,
            state_dir=paths.state_directory(config.session),
            epoch=0,
            core=affinity.SHARED,
            supervisor_pid=os.getpid(),
            session_start_realtime_ns=self._started_realtime_ns,
            doorbell_fds=doorbell_fds,
        )
        placements = self._placements()
        for spec in self._topology.actors:
            launcher = Launcher(
                spec,
                placements[spec.name],
                msgspec.structs.replace(told, actor=spec.name, core=placements[spec.name].core),
                self._venue,
                self._account_lock.fd if self._account_lock is not None and spec.needs_keys else None,
            )
            heartbeats = TableReader(self._segments[f"heartbeats.{spec.name}"])
            child = Child(spec, config.supervisor, launcher, Trail(self._run, spec.name), heartbeats)
            stack.callback(child.finish)
            child.spawn(self._clock.monotonic_ns())
            self._children.append(child)
        self._status = StatusReader(config.session, self._segments, self._children)
        self._log_watch = LogWatch({SUPERVISOR: log_lines_lost, **lost_lines_of(self._segments)})

    def _placements(self) -> dict[str, affinity.Placement]:
        names = self._topology.actor_names
        background = [actor.name for actor in self._topology.actors if actor.is_background]
        cores = affinity.available_cores()
        if not self._config.supervisor.pin_cores:
            self._say("cores: not pinned (pin_cores = false)")
            return dict.fromkeys(names, affinity.Placement(frozenset(cores), affinity.SHARED))
        placements = affinity.plan([name for name in names if name not in background], cores)
        self._say(affinity.describe(placements))
        return placements | dict.fromkeys(background, affinity.plan_background(cores))

    # ---- the loop ----------------------------------------------------------------------------------

    def _run_loop(self) -> None:
        """Run the loop; a fault of our own ends the session like any other end: orders are cancelled first."""
        try:
            self._loop()
        except Exception as error:
            self._log.exception("the supervisor's loop failed")
            self._end_with(ExitCode.CRASH, f"supervisor: {type(error).__name__}: {error}")

    def _loop(self) -> None:
        with ExitStack() as stack:
            poller = select.epoll()
            stack.callback(poller.close)
            poller.register(self._signal_fd, select.EPOLLIN)
            poller.register(self._commands.fd, select.EPOLLIN)
            screen = stack.enter_context(StatusScreen(self._console, self._config.session))
            turned_ns = awake_since_ns = self._clock.monotonic_ns()
            while not self._is_stopping:
                self._poll(poller)
                now_ns = self._clock.monotonic_ns()
                if now_ns - turned_ns > AWAY_NS:
                    awake_since_ns = now_ns
                turned_ns = now_ns
                self._take_signals()
                self._watch_children(now_ns, awake_since_ns)
                self._watch_exchange()
                self._watch_logs(now_ns)
                self._watch_risk()
                self._serve_commands()
                self._relay.poll()
                self._answer_replaced()
                self._reloading.poll()
                self._tell_manager(now_ns)
                if self._seconds is not None and now_ns - self._started_ns >= self._seconds * NS_PER_S:
                    self._is_stopping = True
                screen.show_if_due(now_ns, lambda: self._status.read(self._clock.monotonic_ns() - self._started_ns))

    def _poll(self, poller: select.epoll) -> None:
        """Wait for a signal, a command, the death of a child, or the next look; deaths are heard of at once."""
        for child in self._children:
            with suppress(FileExistsError):
                if child.pid_fd >= 0:
                    poller.register(child.pid_fd, select.EPOLLIN)
        poller.poll(POLL_S)

    def _take_signals(self) -> None:
        try:
            numbers = os.read(self._signal_fd, 64)
        except BlockingIOError:
            return
        self._signals += [number for number in numbers if number in STOP_SIGNALS or self._is_hangup(number)]
        if self._signals:
            self._is_stopping = True
        elif signal.SIGHUP in numbers:
            self._manager.reloading()
            self._reloading.begin(self._say_reloaded, force=False)

    def _is_hangup(self, number: int) -> bool:
        """Return whether it says that our terminal was closed; where there is none, SIGHUP asks for a reload."""
        return number == signal.SIGHUP and self._has_terminal

    def _say_reloaded(self, reply: Reply) -> None:
        self._say(f"configuration {'reloaded' if reply.ok else 'not reloaded'}: {reply.text}")
        self._manager.ready()

    def _watch_children(self, now_ns: int, awake_since_ns: int) -> None:
        for child in self._children:
            note = child.watch(now_ns, awake_since_ns)
            if isinstance(note, GiveUp) and child.spec.is_background:
                self._say(f"{child.spec.name} is given up, the session goes on without it: {note.reason}")
            elif isinstance(note, GiveUp):
                self._end_with(note.exit_code, note.reason)
            elif note is not None:
                self._log.info(note.text, actor=child.spec.name, pid=child.pid)
                if note.is_trouble:
                    self._say(f"{child.spec.name}: {note.text}")
        if self._first_quote_ns is None and self._status.has_working_orders():
            self._first_quote_ns = now_ns - self._started_ns
            self._say(f"first quote {self._first_quote_ns / NS_PER_S:.2f} s after start")

    def _answer_replaced(self) -> None:
        """Answer those who asked for the replacement of an actor, once its next life is live or will never be."""
        for waiting in list(self._replacing):
            request, child, life = waiting
            if child.life > life and child.state is ChildState.LIVE:
                request.answer(Reply(ok=True, text=f"{child.spec.name} replaced: life {child.life}, pid {child.pid}"))
            elif child.state is ChildState.ENDED:
                request.answer(Reply(ok=False, text=f"{child.spec.name} was given up"))
            else:
                continue
            self._replacing.remove(waiting)

    def _tell_manager(self, now_ns: int) -> None:
        """Tell the service manager that the loop turns, when all actors are live, and how it goes."""
        self._manager.alive(now_ns)
        needed = [child for child in self._children if not child.spec.is_background]
        if not self._is_ready and all(child.state is ChildState.LIVE for child in needed):
            self._is_ready = True
            self._manager.ready()
        if self._manager.wants_status(now_ns):
            self._manager.status(status_line(self._status.read(now_ns - self._started_ns)))

    def _watch_exchange(self) -> None:
        if self._exchange is not None and not self._is_stopping and self._exchange.has_died:
            usage = self._exchange.exit_code == ExitCode.USAGE
            self._end_with(ExitCode.USAGE if usage else ExitCode.VENUE_UNREACHABLE, self._exchange.last_line())

    def _watch_logs(self, now_ns: int) -> None:
        for note in self._log_watch.look(now_ns):
            self._say(note)

    def _watch_risk(self) -> None:
        """Say when risk is held by something that only an operator ends; it may come from an earlier run."""
        held_back = self._status.held_back()
        if held_back and not self._held_back:
            self._say(f"risk holds the session: {held_back}")
        self._held_back = held_back

    def _serve_commands(self) -> None:
        for request in self._commands.drain():
            command = request.command
            self._log.info("command", content=str(command))
            match command:
                case commands.Status():
                    status = self._status.read(self._clock.monotonic_ns() - self._started_ns)
                    request.answer(Reply(ok=True, text=status_line(status), data=status))
                case commands.Reload():
                    self._reloading.begin(request.answer, force=command.force)
                case commands.Vitals():
                    request.answer(Reply(ok=True, data=read_vitals()))
                case commands.Stop(actor=name) if name:
                    self._replace(request, name)
                case commands.Stop():
                    self._flatten = self._flatten or command.flatten
                    self._stop_requests.append(request)
                    self._is_stopping = True
                case _:
                    self._pass_on(request)

    def _replace(self, request: Request, name: str) -> None:
        """Begin to end one actor, so that its next life takes over."""
        child = next((child for child in self._children if child.spec.name == name), None)
        if child is None:
            there_are = ", ".join(self._topology.actor_names)
            request.answer(Reply(ok=False, text=f"no actor named {name}; there are: {there_are}", is_usage=True))
            return
        self._replacing.append((request, child, child.life))
        child.replace(self._clock.monotonic_ns())

    def _pass_on(self, request: Request) -> None:
        """Have the actors that are concerned carry it out; one that names nobody is answered at once."""
        try:
            legs = legs_of(with_instrument(request.command, self._roles), self._topology)
        except UserError as error:
            request.answer(Reply(ok=False, text=str(error), is_usage=True))
        else:
            self._relay.pass_on(request, legs)

    def _note_command(self, command: AnyCommand, reply: Reply) -> None:
        self._log.info("command done", content=str(command), ok=reply.ok, text=reply.text)

    def _end_with(self, exit_code: ExitCode, reason: str) -> None:
        self._log.error(reason, exit_code=int(exit_code))
        with suppress(OSError):  # the terminal may be gone
            print(f"error: {reason}", file=sys.stderr, flush=True)
        self._exit_code = exit_code
        self._is_stopping = True

    # ---- the end -----------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Cancel, confirm, end the actors, write the summary."""
        self._manager.stopping("cancelling, and asking the venue until it shows no order")
        for request, child, _ in self._replacing:
            request.answer(Reply(ok=False, text=f"the session ends; {child.spec.name} is not replaced"))
        latched, reason = is_kill_latched(self._segments)
        if self._exit_code is ExitCode.CLEAN and latched and reason not in OPERATOR_REASONS:
            self._exit_code = ExitCode.RISK_HALT
        shutdown = Shutdown(self._config, self._clock, self._log, self._relay, self._children, self._run, self._venue)
        never_reached = self._exit_code is ExitCode.VENUE_UNREACHABLE and self._first_quote_ns is None
        report = shutdown.run(flatten=self._flatten, was_reachable=not never_reached, is_hurried=self._is_hurried)
        if not shutdown.is_confirmed and self._exit_code is ExitCode.CLEAN:
            self._exit_code = ExitCode.CRASH
        summary = build_summary(
            self._segments,
            rows=len(self._config.instruments),
            session=self._config.session,
            venue=self._config.venue.kind,
            elapsed_ns=self._clock.monotonic_ns() - self._started_ns,
            first_quote_ns=self._first_quote_ns,
            restarts={child.spec.name: child.restarts for child in self._children},
            exit_code=self._exit_code,
            report=report,
        )
        self._write_summary(summary)
        for request in self._stop_requests:
            request.answer(Reply(ok=shutdown.is_confirmed, text=shutdown.outcome))
        if self._exit_code in FINAL_EXIT_CODES and self._first_quote_ns is None:
            self._log.info(shutdown.outcome)  # it never quoted: the reason alone is what matters
        else:
            for line in (shutdown.outcome, *summary_lines(summary, self._run)):
                self._say(line)
        if self._exit_code is ExitCode.CREDENTIALS:
            print(*ADVICE, sep="\n", file=sys.stderr)

    def _write_summary(self, summary: dict[str, Any]) -> None:
        path = self._run / "summary.json"
        try:
            paths.write_atomically(path, json.dumps(summary, indent=2).encode() + b"\n", 0o644)
        except OSError as error:
            self._say(f"{path} cannot be written: {error.strerror}")
            if self._exit_code is ExitCode.CLEAN:
                self._exit_code = ExitCode.CRASH

    def _is_hurried(self) -> bool:
        """True after a second Ctrl-C: the way down gets shorter."""
        before = max(len(self._signals), 1)
        self._take_signals()
        return len(self._signals) > before

    def _say(self, text: str) -> None:
        self._log.info(text)
        with suppress(OSError):  # the terminal, or the pipe's reader, may be gone: the session goes on
            self._console.print(f"{self._config.session}: {text}", soft_wrap=True, markup=False)


def _has_terminal() -> bool:
    """Return whether this process can lose a terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _catch_signals(stack: ExitStack) -> int:
    """Have signals written to a pipe, so that handlers do nothing; return the end to read."""
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    previous = signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    # Ignored from the start (nohup) it stays ignored: a terminal that goes away is then no reason to do anything.
    hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    for number in (*STOP_SIGNALS, *hangup):
        signal.signal(number, lambda _number, _frame: None)
    stack.callback(os.close, read_fd)
    stack.callback(os.close, write_fd)
    stack.callback(signal.set_wakeup_fd, previous)
    return read_fd


def _empty_directory(directory: Path) -> None:
    """Remove sockets and files of the session; the lock goes last."""
    for file in directory.iterdir():
        if file.name != "lock":
            file.unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, run the session, return the exit code."""
    parser = argparse.ArgumentParser(prog="supervisor.py", description="Run one Ringmaker session.")
    parser.add_argument("config", type=Path, help="TOML file; its name is the session's name")
    parser.add_argument("--seconds", type=float, default=None, help="end after this time")
    parser.add_argument("--replay", nargs="+", default=None, metavar="FILE", help="parts of one recording, in order")
    options = parser.parse_args(arguments)
    try:
        if options.seconds is not None and not options.seconds > 0:
            raise UserError(f"--seconds {options.seconds:g}: expected a number above 0")
        keep_private(holds_keys=True)
        load_dotenv(paths.home() / ".env")
        config = load_config(options.config, replay=options.replay)
        if config.recorder.enabled and find_spec("pyarrow") is None:
            print("nothing is recorded: [recorder] needs pyarrow: .venv/bin/pip install pyarrow", file=sys.stderr)
            recorder = msgspec.structs.replace(config.recorder, enabled=False)
            config = msgspec.structs.replace(config, recorder=recorder)
        return Supervisor(config, seconds=options.seconds).run()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        if isinstance(error, CredentialsError) and error.advice:
            print(*error.advice, sep="\n", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
