"""One hedge while it is worked, and the ids of all that were ever begun."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

from actors.execution.desk import Desk
from messages.commands import Hedge, Reply
from trading.hedging.working import Plan
from trading.orders.order import Order

DIGITS_MAX = 18  # of a number that is counted; a longer one is a name


class HedgeRun:
    """One hedge under way.

    Attributes:
        orders: sent so far.
        order: the one that is out, or was last.
        done_lots: filled on orders that have ended.
        refused_by: what the gate said last.
        stopped_by: why it has to end; empty = it need not.
    """

    def __init__(self, command: Hedge, desk: Desk, plan: Plan) -> None:
        self.command = command
        self.desk = desk
        self.plan = plan
        self.orders = 0
        self.order: Order | None = None
        self.done_lots = 0
        self.crossed_time_ns = 0
        self.refused_by = ""
        self.stopped_by = ""
        self.answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    @property
    def order_out(self) -> Order | None:
        return self.order if self.order is not None and self.order.is_live else None

    @property
    def filled_lots(self) -> int:
        """Filled on all its orders."""
        out = self.order_out
        return self.done_lots + (out.filled_lots if out is not None else 0)


class BegunHedges:
    """The ids of all hedges of this run, on disk before their first order: a restarted execution knows them.

    Written without waiting for the disk: a killed process loses nothing of it, and a machine that goes down ends the
    run. Who hedges counts its ids up (trading/hedging/policy.py: `owner/number`) and goes on to the next only once the
    one before is answered, so the newest number of each owner says of all its ids whether they were begun.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._newest: dict[str, int] = {}  # by owner
        self._others: set[str] = set()  # ids that are not counted
        with path.open() as lines:
            for line in lines:
                self._note(line.rstrip("\n"))

    def __len__(self) -> int:
        """How much is remembered: owners, and ids that are not counted."""
        return len(self._newest) + len(self._others)

    def __contains__(self, command_id: str) -> bool:
        owner, number = _counted(command_id)
        return number <= self._newest.get(owner, 0) if number else command_id in self._others

    def add(self, command_id: str) -> None:
        """Write an id down; OSError when the disk does not take it, and then it is not begun."""
        line = f"{command_id}\n".encode()
        size_bytes = os.fstat(self._fd).st_size
        if os.write(self._fd, line) < len(line):
            os.ftruncate(self._fd, size_bytes)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._note(command_id)

    def close(self) -> None:
        os.close(self._fd)

    def _note(self, command_id: str) -> None:
        owner, number = _counted(command_id)
        if number:
            self._newest[owner] = max(number, self._newest.get(owner, 0))
        else:
            self._others.add(command_id)


def _counted(command_id: str) -> tuple[str, int]:
    """Return owner and number, from 1, of an id that its owner counts; ("", 0) of any other."""
    owner, _, number = command_id.rpartition("/")
    is_counted = owner != "" and number.isascii() and number.isdecimal() and len(number) <= DIGITS_MAX
    return (owner, int(number)) if is_counted and int(number) else ("", 0)
