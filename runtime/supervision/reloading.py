"""The session's configuration file, read again while the session runs: all that can be taken over is, or nothing.

    read and check the file  ──> every actor concerned says whether it could  ──> config.json  ──> every one does
         │ a fault                     │ one cannot, or is silent
         └── nothing has changed <─────┘

Restarts read config.json of the run, so an actor that dies in between comes back with the new values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

import msgspec

from domain.clock import Clock
from domain.errors import ConfigError, UserError
from messages.commands import Reply, TakeConfig
from runtime.config import Config, load_config
from runtime.logs import Logger
from runtime.paths import CONFIG_FILE, write_atomically
from runtime.reload import ConfigChange, changes, taken_over
from runtime.roles import with_names
from runtime.supervision.in_force import InForce
from runtime.supervision.relay import Leg, Relay
from runtime.topology import EXECUTION

CHANGES_FILE = "config-changes.jsonl"
RISK_TOO = ("execution.flatten_timeout_s", "execution.flatten_passive_s")  # risk waits for a flattening so long


class _Reload:
    """One reload under way."""

    def __init__(
        self, found: list[ConfigChange], config: Config, legs: list[Leg], answer: Callable[[Reply], None]
    ) -> None:
        self.found = found
        self.config = config
        self.legs = legs
        self.answer = answer
        self.is_trial = True
        self.future: Future[Reply] | None = None

    @property
    def cold(self) -> list[ConfigChange]:
        return [change for change in self.found if not change.is_hot]


class Reloading:
    """Reloads one after the other; `poll` takes each a step further, on the supervisor's own thread.

    Attributes:
        config: what the session goes by now.
    """

    def __init__(
        self,
        config: Config,
        in_force: InForce,
        role_names: Mapping[str, str],
        run: Path,
        relay: Relay,
        clock: Clock,
        log: Logger,
    ) -> None:
        """Take what the session goes by, what was set meanwhile, and the names that stand for its roles."""
        self.config = config
        self._in_force = in_force
        self._role_names = role_names
        self._run = run
        self._relay = relay
        self._clock = clock
        self._log = log
        self._under_way: _Reload | None = None

    def begin(self, answer: Callable[[Reply], None], *, force: bool) -> None:
        """Read the file and ask those concerned; `answer` is called once, with what became of it."""
        if self._under_way is not None:
            answer(Reply(ok=False, text="the configuration is being reloaded already"))
            return
        try:
            found, config = self._read()
            legs = self._legs([change.key for change in found if change.is_hot], force)
            if legs:
                _write(self._next_file, config)
        except (UserError, OSError) as error:
            self._refuse(answer, str(error))
            return
        self._under_way = _Reload(found, config, legs, answer)
        if legs:
            self._ask(self._under_way)
        else:
            self._end(self._under_way, Reply(ok=True, text=""))

    def poll(self) -> None:
        """Go on with the reload under way, if everybody has answered."""
        reload = self._under_way
        if reload is None or reload.future is None or not reload.future.done():
            return
        reply = reload.future.result()
        if not reply.ok and reload.is_trial:
            self._refuse(reload.answer, reply.text)
        elif reload.is_trial:
            try:
                _write(self._run / CONFIG_FILE, reload.config)
            except UserError as error:
                self._refuse(reload.answer, str(error))
                return
            self.config = reload.config
            self._in_force.reload(reload.config, (change.key for change in reload.found))
            reload.is_trial = False
            self._ask(reload)
        else:
            self._end(reload, reply)

    def _refuse(self, answer: Callable[[Reply], None], why: str) -> None:
        """End a reload of which nothing is in force yet."""
        self._under_way = None
        self._log.error("configuration not reloaded", reason=why)
        answer(Reply(ok=False, text=f"nothing has changed: {why}"))

    def _read(self) -> tuple[list[ConfigChange], Config]:
        """Return what the file changes, and the configuration with all of it that can be taken over."""
        path = Path(self.config.path)
        new = load_config(path)
        new = with_names(new, {role: name for role, name in self._role_names.items() if role in new.instruments})
        found = [change for change in changes(self.config, new) if not _is_from_the_command_line(change, new)]
        try:
            config = taken_over(self.config, new)
        except (msgspec.ValidationError, ValueError) as error:
            cold = "; ".join(str(change) for change in found if not change.is_hot)
            raise UserError(f"{path}: {error}, as long as these wait for the next start: {cold}") from None
        try:
            self._in_force.check_reload(config, [change.key for change in found if change.is_hot])
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        return found, config

    def _legs(self, keys: Sequence[str], force: bool) -> list[Leg]:
        """Return who has to take the new configuration."""
        command = TakeConfig(str(self._next_file), is_trial=True, force=force)
        topology = self.config.topology
        owners = {
            topology.strategy_of(name): None
            for name in topology.instruments
            if any(key.startswith(f"instruments.{name}.") for key in keys)
        }
        actors = [actor for actor in owners if actor is not None]
        if any(key.startswith("risk.") or key in RISK_TOO for key in keys):
            actors.append("risk")
        if any(key.startswith(f"{EXECUTION}.") for key in keys):
            actors.append(EXECUTION)
        return [Leg(actor, command) for actor in actors]

    def _ask(self, reload: _Reload) -> None:
        legs = reload.legs
        if not reload.is_trial:  # it is decided: one that dies now comes back with the new values
            legs = [
                leg._replace(command=msgspec.structs.replace(leg.command, is_trial=False), is_independent=True)
                for leg in legs
            ]
        reload.future = self._relay.call_all(legs)

    def _end(self, reload: _Reload, reply: Reply) -> None:
        """Journal what was taken over and what waits, and answer."""
        self._under_way = None
        self._journal(reload.found)
        hot = [str(change) for change in reload.found if change.is_hot]
        cold = [str(change) for change in reload.cold]
        parts = [f"taken over: {'; '.join(hot)}" if hot else "nothing to take over"]
        if cold:
            parts.append(f"only at the next start: {'; '.join(cold)}")
        if not reply.ok:
            parts.append(f"not confirmed: {reply.text}")
        data = {
            change.key: {"old": change.old, "new": change.new, "is_taken_over": change.is_hot}
            for change in reload.found
        }
        reload.answer(Reply(ok=reply.ok, text=" · ".join(parts), data=data))

    def _journal(self, found: Sequence[ConfigChange]) -> None:
        stamp_ns = self._clock.realtime_ns()
        lines = []
        for change in found:
            outcome = "taken over" if change.is_hot else "waits for the next start"
            self._log.warning("configuration changed", key=change.key, old=change.old, new=change.new, outcome=outcome)
            line = {"time_ns": stamp_ns, "key": change.key, "old": change.old, "new": change.new, "outcome": outcome}
            lines.append(json.dumps(line) + "\n")
        try:
            with (self._run / CHANGES_FILE).open("a") as file:
                file.writelines(lines)
        except OSError as error:
            self._log.error("changes of the configuration could not be journaled", reason=str(error))

    @property
    def _next_file(self) -> Path:
        return self._run / "config-next.json"


def _write(path: Path, config: Config) -> None:
    """Write a configuration for the actors to read; ConfigError when the disk refuses it."""
    try:
        write_atomically(path, msgspec.json.encode(config))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def _is_from_the_command_line(change: ConfigChange, new: Config) -> bool:
    """Recordings named with --replay, and a recorder that was switched off for want of a library, are no edits."""
    return (change.key == "exchange.replay" and not new.exchange.replay) or change.key == "recorder.enabled"
