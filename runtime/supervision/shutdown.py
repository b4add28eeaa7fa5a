"""The way down: quotes cancelled and confirmed by the venue first, then every process ended, within a deadline.

Execution is asked to stop: it cancels, confirms with the venue, flattens if wished, and reports. When it is
dead, hung or too slow, the one-shot `python -m actors.kill` does the cancelling with a connection of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from domain.clock import NS_PER_S, Clock
from domain.errors import ExitCode
from messages import commands
from messages.commands import Reply
from runtime.config import Config
from runtime.logs import Logger
from runtime.paths import CONFIG_FILE
from runtime.supervision.children import Child
from runtime.supervision.relay import Leg, Relay, flatten_wait_s

POLL_S = 0.01
HURRY_S = 1.0
END_S = 2.0
BACKGROUND_END_S = 20.0  # a recorder finishes the hour's files; what it does not manage, the next start does
KILL_S = 8.0
KILL_START_S = 3.0  # for its imports


class Shutdown:
    """Ends a session once.

    Attributes:
        is_confirmed: whether the venue has confirmed that no order of ours is open.
        outcome: one line that says how it went.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        log: Logger,
        relay: Relay,
        children: Sequence[Child],
        artifacts: Path,
        venue: Mapping[str, str],
    ) -> None:
        self.is_confirmed = False
        self.outcome = ""
        self._config = config
        self._clock = clock
        self._log = log
        self._relay = relay
        self._children = {child.spec.name: child for child in children}
        self._artifacts = artifacts
        self._venue = venue
        self._is_hurried = False

    def run(self, *, flatten: bool, was_reachable: bool, is_hurried: Callable[[], bool]) -> dict[str, Any]:
        """Cancel, confirm, report and end the actors.

        Args:
            was_reachable: False when the venue never answered: then there is nobody to ask.
            is_hurried: asked again and again; True (a second Ctrl-C) shortens what is left to one second.

        Returns:
            execution's final report; empty when it could not give one.
        """
        report = self._stop_execution(flatten, is_hurried)
        is_stopped = self.is_confirmed
        if not is_stopped:
            self._children["execution"].kill()
            if was_reachable:
                self._kill_orders()
        report = report or self._last_report()  # nothing is read before the orders are cancelled
        if not is_stopped:
            report["open_orders_at_exit"] = 0 if self.is_confirmed else None
        self._end_actors(is_hurried)
        self._log.info("session stopped", outcome=self.outcome, confirmed=self.is_confirmed)
        return report

    def _stop_execution(self, flatten: bool, is_hurried: Callable[[], bool]) -> dict[str, Any]:
        execution = self._children["execution"]
        if not execution.is_running or execution.is_fenced:
            killed = "was killed, and the system has not let go of it"
            self.outcome = f"execution {killed if execution.is_fenced else 'was not running'}"
            return {}
        extra_s = flatten_wait_s(self._config.execution) if flatten else 0.0
        timeout_s = self._config.supervisor.stop_deadline_s + extra_s
        future = self._relay.call(Leg("execution", commands.Stop(flatten=flatten), timeout_s))
        deadline_ns = self._clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        while not future.done() and self._clock.monotonic_ns() < deadline_ns:
            time.sleep(POLL_S)
            if not self._is_hurried and is_hurried():
                self._is_hurried = True
                deadline_ns = self._clock.monotonic_ns() + int(HURRY_S * NS_PER_S)
            if execution.has_ended() and not future.done():
                time.sleep(POLL_S)  # its answer may still be on the way
                break
        reply = future.result() if future.done() else Reply(ok=False, text="execution did not stop in time")
        self.outcome = reply.text
        self.is_confirmed = reply.ok and str(reply.data.get("open_orders_at_exit")) == "0"
        return dict(reply.data)

    def _kill_orders(self) -> None:
        """Cancel with the one-shot, which needs nothing of ours."""
        result = run_kill(self._config, self._artifacts, self._venue, HURRY_S if self._is_hurried else KILL_S)
        self.is_confirmed = result.returncode == ExitCode.CLEAN
        # A confirmed cancel can be no success: why, stands on standard error.
        spoken = [result.stdout] if self.is_confirmed else [result.stdout, result.stderr]
        words = [text.strip().splitlines()[-1].removeprefix("kill: ") for text in spoken if text.strip()]
        self.outcome = f"{self.outcome}; kill: {'; '.join(words) or f'exit {result.returncode}'}"
        self._log.warning("orders cancelled by the one-shot", outcome=self.outcome)

    def _end_actors(self, is_hurried: Callable[[], bool]) -> None:
        """End the actors, and after them those in the background, which have something left to do then."""
        children = list(self._children.values())
        end_children([child for child in children if not child.spec.is_background], END_S, is_hurried, self._log)
        end_children([child for child in children if child.spec.is_background], BACKGROUND_END_S, is_hurried, self._log)

    def _last_report(self) -> dict[str, Any]:
        """Return the report that execution wrote last; empty when there is none, or none that can be read."""
        try:
            report = json.loads((self._artifacts / "execution.json").read_text())
        except (OSError, ValueError):
            return {}
        return report if isinstance(report, dict) else {}


def longest_end_s(config: Config, *, flatten: bool) -> float:
    """Return how long an end may take where everything hangs: what a service manager has to wait for."""
    asked_s = config.supervisor.stop_deadline_s + (flatten_wait_s(config.execution) if flatten else 0.0)
    return asked_s + KILL_S + KILL_START_S + END_S + BACKGROUND_END_S


def end_children(children: Sequence[Child], timeout_s: float, is_hurried: Callable[[], bool], log: Logger) -> None:
    """Have children end, by force when they take too long or the operator is in a hurry."""
    for child in children:
        child.terminate()
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s and not is_hurried():
        if all(child.has_ended() for child in children):
            return
        time.sleep(POLL_S)
    for child in children:
        if child.is_running:
            log.warning("ended by force", actor=child.spec.name)
        child.finish()


def run_kill(config: Config, run: Path, venue: Mapping[str, str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run the one-shot kill and return how it ended; exit code 0 = the venue showed no order twice.

    It goes by the configuration in the run's folder, and only without that by the file, which may be edited by now.
    """
    command = [sys.executable, "-m", "actors.kill", "--session", config.session, "--session-ends"]
    command += ["--config", str(run / CONFIG_FILE), "--config", config.path]
    command += ["--timeout-s", f"{timeout_s:g}"]
    try:
        return subprocess.run(
            command,
            env={**os.environ, **venue},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s + KILL_START_S,
            check=False,
            start_new_session=True,  # one more Ctrl-C must not end it before it has cancelled
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, ExitCode.CRASH, "", f"kill did not end within {timeout_s:g} s")
    except OSError as error:
        return subprocess.CompletedProcess(command, ExitCode.CRASH, "", f"kill could not be started: {error.strerror}")
