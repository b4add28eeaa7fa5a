"""The supervisor: one instance a session; spawns, watches, restarts and ends the actors. It never trades.

Usage: python supervisor.py CONFIG [--seconds N] [--replay FILE...]

Its loop is a list of verbs: take signals, watch children, serve commands, show status. Decisions are pure
(runtime/restart_policy.py, runtime/affinity.py); its parts stand in runtime/supervision/.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO, cast

import msgspec
from rich.console import Console

from domain.clock import NS_PER_S
from domain.codes import RiskReason
from domain.errors import CredentialsError, ExitCode, UserError
from messages.commands import Reply
from runtime import paths
from runtime.arguments import Arguments
from runtime.clock import system_clock
from runtime.config import Config, load_config
from runtime.dotenv import load_dotenv
from runtime.logs import log_lines_lost, open_log
from runtime.priority import take_realtime
from runtime.restart_policy import FINAL_EXIT_CODES
from runtime.roles import with_names
from runtime.secrecy import keep_private
from runtime.session import SessionLock, SessionSegments
from runtime.supervision.alarm_watch import DECISIONS_FILE, AlarmWatch
from runtime.supervision.command_desk import CommandDesk
from runtime.supervision.crew import Crew, place
from runtime.supervision.log_watch import LogWatch, lost_lines_of
from runtime.supervision.old_runs import remove_old_runs
from runtime.supervision.outlet import Outlet
from runtime.supervision.screen import StatusScreen, status_line, summary_lines
from runtime.supervision.service_manager import ServiceManager
from runtime.supervision.shutdown import Shutdown, longest_end_s
from runtime.supervision.signals import SignalPipe
from runtime.supervision.status import StatusReader, is_kill_latched
from runtime.supervision.summary import build_summary
from runtime.supervision.venue_access import names_of_roles, open_venue
from runtime.topology import SUPERVISOR
from venues.credentials import ADVICE

POLL_S = 0.02
OPERATOR_REASONS = (RiskReason.OPERATOR, RiskReason.KILL)


class Supervisor:
    """One session from lock to summary. What was opened is closed in reverse order, whatever happens."""

    def __init__(self, config: Config, *, seconds: float | None) -> None:
        self._config = config
        self._clock = system_clock(os.environ)
        self._seconds = seconds
        self._exit_code = ExitCode.CLEAN
        self._faults: list[str] = []  # told once the live block has left the terminal
        self._is_stopping = False
        self._first_quote_ns: int | None = None
        self._held_back = ""
        self._is_ready = False
        self._manager = ServiceManager(os.environ, self._clock)
        self._outlet, self._error_outlet = Outlet(sys.stdout), Outlet(sys.stderr)
        self._console = Console(file=cast(TextIO, self._outlet), highlight=False)

    def run(self) -> ExitCode:
        """Run the session to its end and return the exit code."""
        session = self._config.session
        self._started_ns = self._clock.monotonic_ns()
        self._started_realtime_ns = self._clock.realtime_ns()
        with ExitStack() as stack:
            stack.callback(self._error_outlet.close)
            stack.callback(self._outlet.close)
            stack.callback(self._manager.close)
            self._signals = SignalPipe()
            stack.callback(self._signals.close)
            self._directory = paths.make_private(paths.run_root()) / session
            lock = SessionLock(self._directory, session)
            stack.callback(lock.release)
            stack.callback(lock.clear_directory)
            self._run = paths.new_run(session)
            self._log = open_log(SUPERVISOR, self._run / "logs" / "supervisor.log", self._config.runtime.log_level)
            try:
                self._open_venue(stack)
            except UserError:
                shutil.rmtree(self._run)  # nothing ran: there is nothing to keep
                raise
            paths.point_latest(self._run)
            self._segments = SessionSegments(session, self._config.topology)
            stack.callback(self._segments.unlink)
            self._segments.create()
            self._remove_old_runs()  # now that nobody else runs the session, from another run directory either
            self._crew = Crew(self._clock, self._log, self._say)
            self._desk = CommandDesk(
                self._config, self._roles, self._run, self._crew, self._read_status, self._clock, self._log, stack
            )
            self._spawn_all(stack)
            if priority := self._config.runtime.realtime_priority:
                take_realtime(priority + 1, self._log)
            self._run_loop()
            self._finish()
        return self._exit_code

    # ---- start -----------------------------------------------------------------------------------

    def _open_venue(self, stack: ExitStack) -> None:
        """Open the way to the venue, and ask it who stands for the roles that the configuration names."""
        self._venue = open_venue(self._config, self._directory, self._run, stack, self._say)
        if self._venue.exchange is not None and self._config.exchange.replay:
            self._say(f"replaying {', '.join(self._config.exchange.replay)}")
        self._roles = names_of_roles(self._config, self._venue.variables, self._clock.realtime_ns())
        self._config = with_names(self._config, self._roles)
        for role, name in self._roles.items():
            self._say(f"{role} is {name}")

    def _remove_old_runs(self) -> None:
        kept_days = self._config.supervisor.runs_kept_days
        if kept_days:
            now_s = self._clock.realtime_ns() / NS_PER_S
            if said := remove_old_runs(self._run.parent, self._config.session, kept_days, now_s):
                self._say(said)

    def _spawn_all(self, stack: ExitStack) -> None:
        config = self._config
        paths.write_atomically(self._run / paths.CONFIG_FILE, msgspec.json.encode(config))
        placements = place(config.topology, is_pinned=config.supervisor.pin_cores, say=self._say)
        self._crew.spawn(config, self._run, self._venue, self._segments, placements, self._started_realtime_ns, stack)
        self._status = StatusReader(config.session, self._segments, self._crew.children)
        self._alarm_watch = AlarmWatch(self._run / DECISIONS_FILE)
        self._log_watch = LogWatch({SUPERVISOR: log_lines_lost, **lost_lines_of(self._segments)})

    # ---- the loop ----------------------------------------------------------------------------------

    def _run_loop(self) -> None:
        """Run the loop; a fault of our own ends the session like any other end: orders are cancelled first."""
        try:
            self._loop()
        except Exception as error:
            self._log.exception("the supervisor's loop failed")
            self._end_with(ExitCode.CRASH, f"supervisor: {type(error).__name__}: {error}")
        for fault in self._faults:
            self._error_outlet.say(f"error: {fault}")

    def _loop(self) -> None:
        with ExitStack() as stack:
            poller = select.epoll()
            stack.callback(poller.close)
            poller.register(self._signals.fd, select.EPOLLIN)
            poller.register(self._desk.fd, select.EPOLLIN)
            screen = stack.enter_context(StatusScreen(self._console, self._config.session))
            while not self._is_stopping:
                self._crew.hear_deaths(poller)
                poller.poll(POLL_S)
                now_ns = self._clock.monotonic_ns()
                self._take_signals()
                self._watch_crew(now_ns)
                self._watch_exchange()
                self._watch_logs(now_ns)
                self._watch_risk()
                self._desk.serve()
                self._tell_manager(now_ns)
                self._is_stopping = self._is_stopping or self._desk.is_end_asked or self._is_over(now_ns)
                screen.show_if_due(now_ns, self._read_status)

    def _is_over(self, now_ns: int) -> bool:
        """Return whether the time has passed for which the session was asked to run."""
        return self._seconds is not None and now_ns - self._started_ns >= self._seconds * NS_PER_S

    def _take_signals(self) -> None:
        if self._signals.take():
            self._manager.reloading()
            self._desk.reload(self._say_reloaded, force=False)
        self._is_stopping = self._is_stopping or self._signals.stops > 0

    def _say_reloaded(self, reply: Reply) -> None:
        self._say(f"configuration {'reloaded' if reply.ok else 'not reloaded'}: {reply.text}")
        self._manager.ready()

    def _watch_crew(self, now_ns: int) -> None:
        """Look at the actors; the loss of one that we cannot do without ends the session."""
        for actor, note in self._crew.watch(now_ns):
            if actor.is_background:
                self._say(f"{actor.name} is given up, the session goes on without it: {note.reason}")
            else:
                self._end_with(note.exit_code, note.reason)
        if self._first_quote_ns is None and self._status.has_working_orders():
            self._first_quote_ns = now_ns - self._started_ns
            self._say(f"first quote {self._first_quote_ns / NS_PER_S:.2f} s after start")

    def _tell_manager(self, now_ns: int) -> None:
        """Tell the service manager that the loop turns, when all actors are live, and how it goes."""
        self._manager.alive(now_ns)
        if not self._is_ready and self._crew.is_live:
            self._is_ready = True
            self._manager.ready()
        if self._manager.wants_status(now_ns):
            self._manager.status(status_line(self._read_status()))

    def _watch_exchange(self) -> None:
        exchange = self._venue.exchange
        if exchange is not None:
            exchange.bound()
        if exchange is not None and not self._is_stopping and exchange.has_died:
            usage = exchange.exit_code == ExitCode.USAGE
            self._end_with(ExitCode.USAGE if usage else ExitCode.VENUE_UNREACHABLE, exchange.last_line())

    def _watch_logs(self, now_ns: int) -> None:
        """Say what only a log tells so far: that it cannot be written, and risk's alarms."""
        for note in (*self._log_watch.look(now_ns), *self._alarm_watch.look(now_ns)):
            self._say(note)

    def _watch_risk(self) -> None:
        """Say when risk is held by something that only an operator ends; it may come from an earlier run."""
        held_back = self._status.held_back()
        if held_back and not self._held_back:
            self._say(f"risk holds the session: {held_back}")
        self._held_back = held_back

    def _read_status(self) -> dict[str, Any]:
        return self._status.read(self._clock.monotonic_ns() - self._started_ns)

    def _end_with(self, exit_code: ExitCode, reason: str) -> None:
        self._exit_code = exit_code
        self._is_stopping = True
        self._log.error(reason, exit_code=int(exit_code))
        self._faults.append(reason)

    # ---- the end -----------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Cancel, confirm, end the actors, write the summary."""
        within_s = longest_end_s(self._desk.config, flatten=self._desk.flatten)
        self._manager.stopping("cancelling, and asking the venue until it shows no order", within_s)
        self._crew.refuse_replacements()
        if self._exit_code is ExitCode.CLEAN and self._is_halted_by_risk():
            self._exit_code = ExitCode.RISK_HALT
        crew, relay = self._crew.children, self._desk.relay
        shutdown = Shutdown(self._desk.config, self._clock, self._log, relay, crew, self._run, self._venue.variables)
        never_reached = self._exit_code is ExitCode.VENUE_UNREACHABLE and self._first_quote_ns is None
        report = shutdown.run(
            flatten=self._desk.flatten, was_reachable=not never_reached, is_hurried=self._signals.is_hurried
        )
        if not shutdown.is_confirmed and self._exit_code is ExitCode.CLEAN:
            self._exit_code = ExitCode.CRASH
        summary = self._write_summary(report)
        self._desk.end = Reply(ok=shutdown.is_confirmed, text=shutdown.outcome)
        self._desk.answer_stops()
        self._tell_end(shutdown.outcome, summary)

    def _is_halted_by_risk(self) -> bool:
        """Return whether risk itself has halted the session, and no operator."""
        is_latched, reason = is_kill_latched(self._segments)
        return is_latched and reason not in OPERATOR_REASONS

    def _write_summary(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Write summary.json and return its content."""
        summary = build_summary(
            self._segments,
            rows=len(self._config.instruments),
            session=self._config.session,
            venue=self._config.venue.kind,
            elapsed_ns=self._clock.monotonic_ns() - self._started_ns,
            first_quote_ns=self._first_quote_ns,
            restarts=self._crew.restarts,
            exit_code=self._exit_code,
            report=report,
        )
        path = self._run / paths.SUMMARY_FILE
        try:
            paths.write_atomically(path, json.dumps(summary, indent=2).encode() + b"\n")
        except OSError as error:
            self._say(f"{path} cannot be written: {error.strerror}")
            if self._exit_code is ExitCode.CLEAN:
                self._exit_code = ExitCode.CRASH
        return summary

    def _tell_end(self, outcome: str, summary: Mapping[str, Any]) -> None:
        if self._exit_code in FINAL_EXIT_CODES and self._first_quote_ns is None:
            self._log.info(outcome)  # it never quoted: the reason alone is what matters
        else:
            for line in (outcome, *summary_lines(summary, self._run)):
                self._say(line)
        if self._exit_code is ExitCode.CREDENTIALS:
            self._error_outlet.say("\n".join(ADVICE))

    def _say(self, text: str) -> None:
        self._log.info(text)
        self._console.print(f"{self._config.session}: {text}", soft_wrap=True, markup=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, run the session, return the exit code."""
    parser = Arguments(prog="supervisor.py", description="Run one Ringmaker session.")
    parser.add_argument("config", type=Path, help="TOML file; its name is the session's name")
    parser.add_argument("--seconds", type=float, default=None, help="end after this time")
    parser.add_argument("--replay", nargs="+", default=None, metavar="FILE", help="parts of one recording, in order")
    options = parser.parse_args(arguments)
    try:
        if options.seconds is not None and not options.seconds > 0:
            raise UserError(f"--seconds {options.seconds:g}: expected a number above 0")
        keep_private(holds_keys=True)
        load_dotenv(paths.home() / ".env")
        config = _recorded_if_possible(load_config(options.config, replay=options.replay))
        return Supervisor(config, seconds=options.seconds).run()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        if isinstance(error, CredentialsError) and error.advice:
            print(*error.advice, sep="\n", file=sys.stderr)
        return error.exit_code


def _recorded_if_possible(config: Config) -> Config:
    """Return the configuration, without a recorder where its library is missing: that is no reason not to trade."""
    if not config.recorder.enabled or find_spec("pyarrow") is not None:
        return config
    print("nothing is recorded: [recorder] needs pyarrow: .venv/bin/pip install pyarrow", file=sys.stderr)
    return msgspec.structs.replace(config, recorder=msgspec.structs.replace(config.recorder, enabled=False))


if __name__ == "__main__":
    sys.exit(main())
