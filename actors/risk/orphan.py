"""Risk when the supervisor is gone: it stays until the venue shows no order of ours, and execution is no more."""

from __future__ import annotations

import os
import signal

from actors.risk.tables import RiskTables
from actors.risk.venue import VenueView
from domain.clock import NS_PER_S
from runtime.actor import ActorContext
from runtime.parent import is_alive

ORPHAN_S = 10.0


async def outlive_supervisor(ctx: ActorContext, tables: RiskTables, venue: VenueView) -> None:
    """Cancel until nothing is open and execution is gone, at most ORPHAN_S; then end like on SIGTERM."""
    deadline_ns = ctx.clock.monotonic_ns() + int(ORPHAN_S * NS_PER_S)
    is_clear = False
    while not is_clear and (left_ns := deadline_ns - ctx.clock.monotonic_ns()) > 0:
        result = await venue.guard.sweep("the supervisor is gone", left_ns / NS_PER_S)
        is_clear = result.is_confirmed and not is_alive(tables.execution_pid())
    os.kill(os.getpid(), signal.SIGTERM)
