"""Strategy's command handlers: a pause, parameters at run time, another configuration, and what is quoted and why.

A disk that refuses is in nobody's way out: a pause holds and is saved later. A value that is set is in force only once
it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from actors.strategy.desk import Desk
from domain.clock import NS_PER_S
from messages.commands import Command, Pause, Reply, Resume, SetParameter, Status, TakeConfig
from runtime.actor import ActorContext, Handler
from runtime.config import read_config
from trading.quoting.set_values import SetValues, parse_value, split_name

SAVE_INTERVAL_NS = 2 * NS_PER_S


class Commands:
    """The handlers.

    Args:
        work: a duty cycle, at once: an answer means that it is done.

    Attributes:
        is_paused: both sides of every instrument are off; kept over a restart of strategy.
    """

    def __init__(
        self, ctx: ActorContext, desks: Sequence[Desk], set_values: SetValues, work: Callable[[], None]
    ) -> None:
        self._ctx = ctx
        self._desks = desks
        self._set_values = set_values
        self._work = work
        self._own_names = ctx.topology.strategies[ctx.name]
        self._paused_file = ctx.run_dir / f"{ctx.name}.paused"
        self.is_paused = self._paused_file.exists()
        self._unsaved = ""  # why a pause is not on disk
        self._save_due_ns = 0
        for desk in desks:
            desk.quoter.pause(self.is_paused)

    @property
    def handlers(self) -> dict[type[Command], Handler]:
        return {
            Pause: self._on_pause,
            Resume: self._on_resume,
            SetParameter: self._on_set,
            Status: self._on_status,
            TakeConfig: self._on_take_config,
        }

    def _on_pause(self, _command: Pause) -> Reply:
        """Take both sides of every instrument away until `Resume`; kept over a restart of strategy."""
        reply = self._set_paused(True)
        self._touch_paused_file()
        if not self._unsaved:
            return reply
        self._ctx.log.error("the pause is not saved", reason=self._unsaved)
        return Reply(ok=True, text=f"{reply.text}; not saved, a restart of strategy would end it: {self._unsaved}")

    def save_pause(self, now_ns: int) -> None:
        """Try again to keep a pause that the disk has refused, every SAVE_INTERVAL_NS."""
        if self._unsaved and now_ns >= self._save_due_ns:
            self._save_due_ns = now_ns + SAVE_INTERVAL_NS
            self._touch_paused_file()

    def _touch_paused_file(self) -> None:
        try:
            self._paused_file.touch()
        except OSError as error:
            self._unsaved = str(error)
        else:
            self._unsaved = ""

    def _on_resume(self, _command: Resume) -> Reply:
        """End a pause."""
        self._paused_file.unlink(missing_ok=True)
        self._unsaved = ""
        return self._set_paused(False)

    def _set_paused(self, is_paused: bool) -> Reply:
        self.is_paused = is_paused
        if is_paused:
            self._ctx.counters.add("pauses")
        for desk in self._desks:
            desk.quoter.pause(is_paused)
            desk.has_news = True
        self._work()  # at once: the answer means that it is done
        return Reply(ok=True, text="paused: both sides are off" if is_paused else "quoting again")

    def _on_set(self, command: SetParameter) -> Reply:
        """Set `levels`, `strategy.levels` (all that are ours) or `BTC-PERPETUAL.levels`; value as in a config file."""
        instruments, parameter = split_name(command.name, self._own_names)
        changes = self._set_values.change(instruments, parameter, parse_value(command.value))
        for change in changes:
            desk = next(desk for desk in self._desks if desk.name == change.instrument)
            desk.use_config(self._set_values.in_force[change.instrument])
            self._ctx.log.info(
                "parameter set", instrument=change.instrument, name=change.name, old=change.old, new=change.new
            )
        self._work()
        lines = [f"{change.instrument}.{change.name}: {change.old} → {change.new}" for change in changes]
        data = {change.instrument: {"old": change.old, "new": change.new} for change in changes}
        return Reply(ok=True, text="; ".join(lines), data=data)

    def _on_take_config(self, command: TakeConfig) -> Reply:
        """Quote by another configuration; ConfigError when it does not fit the code or what was set meanwhile."""
        config = read_config(Path(command.file))
        configured = {name: config.instruments[name].strategy for name in self._own_names}
        found = self._set_values.reconfigured(configured)
        if command.is_trial:
            return Reply(ok=True, text="parameters can be taken over")
        self._ctx.config = config
        changed = self._set_values.reconfigure(found)
        for desk in self._desks:
            if desk.name in changed:
                desk.use_config(self._set_values.in_force[desk.name])
        self._work()
        return Reply(ok=True, text=f"parameters of {', '.join(changed) or 'no instrument'} taken over{self._saved()}")

    def _saved(self) -> str:
        """Keep what is set; return what to add to an answer when the disk refuses: the session has decided already."""
        try:
            self._set_values.save()
        except OSError as error:
            self._ctx.log.error("what is set is not saved", reason=str(error))
            return f"; what is set is not saved: {error}"
        return ""

    def _on_status(self, _command: Status) -> Reply:
        """Say for each instrument what is quoted, and why a side is not."""
        data = {desk.name: self._status_of(desk) for desk in self._desks}
        text = "; ".join(
            f"{name}: bid {d['bid']}, ask {d['ask']}" + (f" ({d['fault']})" if d["fault"] else "")
            for name, d in data.items()
        )
        return Reply(ok=True, text=text, data=data)

    def _status_of(self, desk: Desk) -> dict[str, Any]:
        bid, ask = desk.quoter.off_reasons
        explanation = desk.quoter.record["explanation"][0]
        terms = ("fair_price", "reservation_price", "half_spread", "skew", "sigma", "arrival_rate", "arrival_decay")
        return {
            "bid": bid.name.lower(),
            "ask": ask.name.lower(),
            "wish_id": desk.quoter.wish_id,
            "fault": desk.quoter.fault,
            **{term: float(explanation[term]) for term in terms},
        }
