"""One hedge while it is worked, and the ids of all that were ever begun."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from actors.execution.desk import Desk
from messages.commands import Hedge, Reply
from trading.hedging.working import Plan
from trading.orders.order import Order


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
    run.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._ids = set(path.read_text().splitlines())

    def __contains__(self, command_id: str) -> bool:
        return command_id in self._ids

    def add(self, command_id: str) -> None:
        self._ids.add(command_id)
        os.write(self._fd, f"{command_id}\n".encode())

    def close(self) -> None:
        os.close(self._fd)
