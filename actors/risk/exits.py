"""Has execution close the positions that a rule wants closed, again until the venue shows them flat."""

from __future__ import annotations

from actors.risk.decisions import DecisionLog
from domain.clock import NS_PER_S
from domain.errors import ConnectivityError
from messages.commands import Flatten
from runtime.actor import ActorContext
from trading.risk.account_view import AccountView
from trading.risk.exits import Exit
from trading.risk.states import Cause

PAUSE_NS = NS_PER_S
ANSWER_S = 3.0


class PositionCloser:
    """One flattening an instrument at a time; each is bounded by execution's own timeout.

    Attributes:
        under_way: rows that execution is flattening now.
    """

    def __init__(self, ctx: ActorContext, decisions: DecisionLog) -> None:
        self._ctx = ctx
        self._decisions = decisions
        self.under_way: set[int] = set()
        self._due_ns: dict[int, int] = {}

    def do_work(self, exits: dict[int, Exit], now_ns: int) -> None:
        """Ask for what is not under way yet."""
        for row, due in exits.items():
            if row in self.under_way or now_ns < self._due_ns.get(row, 0):
                continue
            self.under_way.add(row)
            self._ctx.spawn(self._close(row, due), "close")

    async def _close(self, row: int, due: Exit) -> None:
        name = self._ctx.instrument_names[row]
        config = self._ctx.config.execution
        self._decisions.write("close_position", due.text, cause=due.cause.value, instrument=name)
        self._ctx.log.warning("closing a position", instrument=name, cause=due.cause.value, text=due.text)
        try:
            timeout_s = ANSWER_S + config.flatten_s_max
            reply = await self._ctx.send("execution", Flatten(instrument=name), timeout_s)
            said, is_done = reply.text, reply.ok
        except ConnectivityError as error:
            said, is_done = str(error), False
        finally:
            self.under_way.discard(row)
            self._due_ns[row] = self._ctx.clock.monotonic_ns() + PAUSE_NS
        self._decisions.write("position_closed" if is_done else "position_not_closed", said, instrument=name)
        (self._ctx.log.info if is_done else self._ctx.log.error)("position closed", instrument=name, reply=said)


class LossExit:
    """What a halt for loss still wants closed: every position, until all were flat once.

    Whoever was asked to flatten may have died over it, execution as well as an earlier process of risk. What somebody
    buys by hand after that is theirs.

    Args:
        is_wanted: an earlier process of this session has halted for loss, and flattens then.
    """

    def __init__(self, *, is_wanted: bool) -> None:
        self.is_wanted = is_wanted

    def wanted(self, account: AccountView, cause: Cause | None, text: str) -> dict[int, Exit]:
        """Return the exits that are due now, by row; `cause` is the loss that holds, None = resumed."""
        if not self.is_wanted or not account.are_positions_known:
            return {}
        held = [row for row, name in enumerate(account.names) if account.held_base(name)]
        self.is_wanted = cause is not None and bool(held)
        return {row: Exit(cause, text) for row in held} if cause is not None else {}
