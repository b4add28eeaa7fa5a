"""The loop of `./cli.py top`: look, wait, look again, show what went on; ends with the session or at Ctrl-C."""

from __future__ import annotations

import json
import math
import time
from contextlib import nullcontext
from typing import Any

from rich.console import Console
from rich.live import Live

from runtime.clock import SystemClock
from runtime.top.change import Change, change_between
from runtime.top.sample import Sampler
from runtime.top.screen import screen_of
from shm.attach import Session

POLL_S = 0.05


def look_once(session: Session, interval_s: float) -> Change:
    """Return what goes on in the next `interval_s`."""
    clock, sampler = SystemClock(), Sampler(session)
    before = sampler.take(clock.monotonic_ns())
    time.sleep(interval_s)
    return change_between(before, sampler.take(clock.monotonic_ns()))


def watch(session: Session, interval_s: float, console: Console) -> None:
    """Show every interval until the session ends."""
    clock, sampler = SystemClock(), Sampler(session)
    before = sampler.take(clock.monotonic_ns())
    live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    with live or nullcontext():
        while not _ends_within(session, interval_s):
            now = sampler.take(clock.monotonic_ns())
            shown = screen_of(session.name, change_between(before, now))
            if live is not None:
                live.update(shown, refresh=True)
            else:
                console.print(shown)  # one below the other, for a file or a pipe
            before = now


def as_data(change: Change) -> dict[str, Any]:
    """Return a change as plain values, NaN as null."""
    data = change._asdict()
    data["actors"] = {actor.name: _plain(actor._asdict()) for actor in change.actors}
    data["stages"] = {stage.name: _plain(stage._asdict()) for stage in change.stages}
    data["instruments"] = {name: _plain(found._asdict()) for name, found in change.instruments.items()}
    return data


def as_json(change: Change) -> str:
    return json.dumps(as_data(change), indent=2)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    is_gone = {name for name, value in fields.items() if isinstance(value, float) and not math.isfinite(value)}
    return {name: None if name in is_gone else value for name, value in fields.items() if name != "name"}


def _ends_within(session: Session, seconds: float) -> bool:
    """Wait, and return whether the session ended meanwhile."""
    deadline_s = time.monotonic() + seconds
    while time.monotonic() < deadline_s:
        if session.is_closed:
            return True
        time.sleep(min(POLL_S, seconds))
    return session.is_closed
