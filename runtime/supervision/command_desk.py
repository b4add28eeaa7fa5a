"""What operators ask of a session: answered here, passed on to the actors, or kept until the session has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from domain.clock import Clock
from domain.errors import UserError
from messages import commands
from messages.commands import AnyCommand, Reply
from runtime.command_journal import COMMANDS_FOLDER, QUESTIONS, CommandJournal
from runtime.commands import CommandServer, Request
from runtime.config import Config
from runtime.logs import Logger
from runtime.roles import with_instrument
from runtime.supervision.crew import Crew
from runtime.supervision.in_force import InForce
from runtime.supervision.relay import Relay, legs_of
from runtime.supervision.reloading import Reloading
from runtime.supervision.screen import status_line
from runtime.topology import SUPERVISOR
from runtime.vitals import read_vitals


class CommandDesk:
    """Takes commands from the supervisor's socket; never waits for who carries one out.

    Attributes:
        fd: what the loop polls.
        relay: the way to the actors.
        is_end_asked: whether an operator has asked for the session's end.
        flatten: whether positions are to be brought to zero at the end.
        end: what those who asked for the end are answered.
    """

    def __init__(
        self,
        config: Config,
        roles: Mapping[str, str],
        run: Path,
        crew: Crew,
        read_status: Callable[[], dict[str, Any]],
        clock: Clock,
        log: Logger,
        stack: ExitStack,
    ) -> None:
        """Listen from now on; `stack` ends it, and answers those who asked for the end."""
        self.is_end_asked = False
        self.flatten = config.supervisor.flatten_on_shutdown
        self.end = Reply(ok=False, text="the session ended before all its processes ran")
        self._session, self._topology = config.session, config.topology
        self._roles = roles
        self._crew = crew
        self._read_status = read_status
        self._log = log
        self._stop_requests: list[Request] = []
        journal = CommandJournal(run / COMMANDS_FOLDER / f"{SUPERVISOR}.jsonl", clock)
        self._server = CommandServer(config.session, SUPERVISOR, journal)
        self.fd = self._server.fd
        stack.callback(self._server.close)
        stack.callback(self.answer_stops)  # who asked while the rest was closed
        self.relay = Relay(config.session, self._note_done, crew.why_silent)
        stack.callback(self.relay.close)
        self._in_force = InForce(config)
        self._reloading = Reloading(config, self._in_force, roles, run, self.relay, clock, log)

    @property
    def config(self) -> Config:
        """What the session goes by now, its file's edits that were taken over included."""
        return self._reloading.config

    def serve(self) -> None:
        """Take what was asked since the last call, and answer what is done."""
        for request in self._server.drain():
            if not isinstance(request.command, QUESTIONS):
                self._log.info("command", content=str(request.command))
            self._take(request)
        self.relay.poll()
        self._crew.answer_replaced()
        self._reloading.poll()

    def reload(self, answer: Callable[[Reply], None], *, force: bool) -> None:
        """Begin to take over what was edited in the configuration's file; `answer` is called once."""
        self._reloading.begin(answer, force=force)

    def answer_stops(self) -> None:
        """Answer everybody who asked for the end, those too who came while it was under way."""
        for request in self._server.drain():
            if isinstance(request.command, commands.Stop):
                self._stop_requests.append(request)
            else:
                request.answer(Reply(ok=False, text=f"session {self._session} is ending"))
        while self._stop_requests:
            self._stop_requests.pop().answer(self.end)

    def _take(self, request: Request) -> None:
        match request.command:
            case commands.Status():
                status = self._read_status()
                request.answer(Reply(ok=True, text=status_line(status), data=status))
            case commands.Reload(force=force):
                self.reload(request.answer, force=force)
            case commands.Vitals():
                request.answer(Reply(ok=True, data=read_vitals()))
            case commands.Stop(actor=name) if name:
                self._crew.replace(request, name)
            case commands.Stop(flatten=flatten):
                self.flatten = self.flatten or flatten
                self._stop_requests.append(request)
                self.is_end_asked = True
            case _:
                self._pass_on(request)

    def _pass_on(self, request: Request) -> None:
        """Have the actors that are concerned carry it out; one that cannot be done as it stands is answered at once."""
        request = request._replace(command=with_instrument(request.command, self._roles))
        try:
            legs = legs_of(request.command, self._topology, self.config.execution)
            if isinstance(request.command, commands.SetParameter):
                self._in_force.check(request.command)
        except UserError as error:
            request.answer(Reply(ok=False, text=str(error), is_usage=True))
        else:
            self.relay.pass_on(request, legs)

    def _note_done(self, command: AnyCommand, reply: Reply) -> None:
        if isinstance(command, commands.SetParameter):
            self._in_force.note(command, reply.data)  # whose part of it was done, though it failed elsewhere
        self._log.info("command done", content=str(command), ok=reply.ok, text=reply.text)
