"""The hedges of a strategy process: net deltas watched, hedges decided, execution asked, answers waited for.

When and how much is decided in trading/hedging/policy.py; execution works the orders. A hedge whose answer is
lost is asked for again under the same id, until somebody says what became of it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from actors.strategy.comovement import Comovement
from actors.strategy.portfolio import Holding, Portfolio, load_if_changed
from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import ConfigError
from domain.order import LIMITS_AGE_NS_MAX, TradingState
from domain.records import HEDGE, LIMITS, SHARED_MARKET_DATA
from messages.commands import Hedge, Reply
from runtime.actor import ActorContext
from runtime.commands import CommandCall
from runtime.heartbeats import read_heartbeat
from runtime.topology import EXECUTION
from shm.record import TableReader, TableWriter
from trading.hedging.config import HedgeConfig
from trading.hedging.policy import HedgePolicy, Leg, beta_weight, net_delta, wanted_base

LOOK_INTERVAL_NS = 20 * NS_PER_MS
ANSWER_EXTRA_NS = 5 * NS_PER_S  # beyond the hedge's own time: for an order whose fate must be asked for

_LIMITS_STATE = LIMITS.word("state")
_LIMITS_WRITTEN = LIMITS.word("written_time_ns")
_MARKET_STATUS = SHARED_MARKET_DATA.word("status")
_MARKET_MID = SHARED_MARKET_DATA.word("mid")
_HEDGE_INSTRUMENT, _HEDGE_UPDATED = HEDGE.word("instrument"), HEDGE.word("updated_time_ns")
_HEDGE_STATE, _HEDGE_COUNT = HEDGE.word("state"), HEDGE.word("hedges")
_HEDGE_NET, _HEDGE_LAST = HEDGE.word("net_delta"), HEDGE.word("last_hedged")
_HEDGE_TARGET, _HEDGE_BAND = HEDGE.word("target"), HEDGE.word("band")
_HALTED = int(TradingState.HALTED)


class Pending(NamedTuple):
    """A hedge that execution was asked for: which life of it, and until when it has time to answer."""

    command: Hedge
    call: CommandCall
    execution_epoch: int
    deadline_ns: int


class HedgeTables(NamedTuple):
    """What hedges read beside the portfolio, and the table that shows them; `execution` is its heartbeat."""

    limits: TableReader
    market: TableReader
    execution: TableReader
    comovement: Comovement
    hedges: TableWriter


class UnderlyingHedge:
    """One section [hedge.UNDERLYING]."""

    def __init__(self, ctx: ActorContext, underlying: str, config: HedgeConfig, tables: HedgeTables) -> None:
        self.underlying = underlying
        self.config = config
        self.policy = HedgePolicy(config, f"{ctx.name}.{underlying}/{ctx.epoch}")
        self._ctx = ctx
        self._tables = tables
        self._row = ctx.instrument_names.index(config.instrument)
        self._shown: tuple[float | int, ...] = ()
        self._last_hedged_base = 0.0
        self._pending: Pending | None = None
        self._is_checked = False
        self.net_base = math.nan

    def look(self, portfolio: Portfolio, *, may_begin: bool, now_ns: int) -> None:
        """Take an answer that has come; begin a hedge that is due and allowed; show how things stand."""
        legs = self._legs(portfolio, now_ns)
        self.net_base = net_delta(legs) if legs else math.nan
        if self._pending is not None:
            self._take_answer(self._pending, now_ns)
        elif legs and may_begin and self._is_open(now_ns) and self.policy.decide(self.net_base, now_ns):
            self._begin(legs, now_ns)
        self._show(now_ns)

    def close(self) -> None:
        if self._pending is not None:
            self._pending.call.close()

    # ---- what is held ----------------------------------------------------------------------------------

    def _legs(self, portfolio: Portfolio, now_ns: int) -> list[Leg]:
        """Return every position that counts; none while one of them, or a weight, is not known."""
        holdings = portfolio.holdings
        if not all(holding.underlying for holding in holdings):
            return []
        self._check(holdings[self._row], holdings)
        legs = []
        for row, holding in enumerate(holdings):
            if row != self._row and holding.underlying != self.underlying:
                continue
            if not holding.is_known or (holding.position_lots and not holding.is_linear):
                return []
            weight = 1.0 if self.config.ratio == "delta" or row == self._row else self._beta_weight(row, now_ns)
            if holding.position_lots and not math.isfinite(weight):
                return []
            if math.isfinite(weight):
                legs.append(Leg(self._ctx.instrument_names[row], holding.position_base, weight))
        return legs

    def _beta_weight(self, row: int, now_ns: int) -> float:
        beta = self._tables.comovement.beta(row, self._row, now_ns)
        return beta_weight(beta, self._mid(row), self._mid(self._row))

    def _mid(self, row: int) -> float:
        """Return the mid of an instrument; NaN when it has no live book."""
        market = self._tables.market
        if not load_if_changed(market, row, 0) or not market.ints[_MARKET_STATUS]:
            return math.nan
        return float(market.floats[_MARKET_MID])

    def _check(self, hedge: Holding, holdings: list[Holding]) -> None:
        """Refuse, once the venue has told what the instruments are, a section that cannot be meant.

        Raises:
            ConfigError: no instrument has the underlying, a base unit of the hedge is one of something else, or two
                hedges would undo each other.
        """
        if self._is_checked:
            return
        self._is_checked = True
        section = f"{self._ctx.config.path}: hedge.{self.underlying}"
        known = sorted({holding.underlying for holding in holdings})
        if self.underlying not in known:
            raise ConfigError(f"{section}: no instrument of this session has that underlying: {', '.join(known)}")
        if self.config.ratio == "delta" and hedge.underlying != self.underlying:
            raise ConfigError(
                f"{section}: {self.config.instrument} is of {hedge.underlying}, so a base unit of it does not offset "
                f'one of {self.underlying}: set ratio = "beta", or take an instrument of {self.underlying}'
            )
        if hedge.underlying != self.underlying and hedge.underlying in self._ctx.config.hedge:
            raise ConfigError(
                f"{section}: {self.config.instrument} is of {hedge.underlying}, whose own hedge would undo what this "
                f"one does: take hedge.{hedge.underlying} out"
            )
        if not hedge.is_linear:
            raise ConfigError(f"{section}: {self.config.instrument} is neither a perpetual nor a future")

    def _is_open(self, now_ns: int) -> bool:
        """Return whether risk lets the hedge instrument trade: what the gate would refuse is not asked for."""
        limits = self._tables.limits
        if not load_if_changed(limits, self._row, 0):
            return False
        return limits.ints[_LIMITS_STATE] != _HALTED and now_ns - limits.ints[_LIMITS_WRITTEN] <= LIMITS_AGE_NS_MAX

    # ---- the hedge -------------------------------------------------------------------------------------

    def _begin(self, legs: list[Leg], now_ns: int) -> None:
        config = self.config
        size_base = wanted_base(self.net_base, config)
        command = Hedge(
            command_id=self.policy.command_id, instrument=config.instrument,
            weights={leg.instrument: leg.weight for leg in legs}, target_base=config.target_base,
            is_buy=size_base > 0, size_max_base=abs(size_base), passive_s=config.passive_s,
            reprice_ms=config.reprice_ms, cross_s=config.cross_s, collar_bps=config.collar_bps,
        )  # fmt: skip
        self._ctx.counters.add("hedges")
        self._ctx.log.info("hedge", command_id=command.command_id, net_base=self.net_base, size_base=size_base)
        self._ask(command, now_ns)

    def _ask(self, command: Hedge, now_ns: int) -> None:
        patience_ns = round((command.passive_s + command.cross_s) * NS_PER_S) + ANSWER_EXTRA_NS
        call = self._ctx.call(EXECUTION, command)
        self._pending = Pending(command, call, self._execution_epoch(), now_ns + patience_ns)

    def _execution_epoch(self) -> int:
        return read_heartbeat(self._tables.execution).epoch

    def _take_answer(self, pending: Pending, now_ns: int) -> None:
        reply = pending.call.poll()
        if reply is not None:
            self._pending = None
            self._end(pending.command, reply, now_ns)
        elif now_ns >= pending.deadline_ns or self._execution_epoch() > pending.execution_epoch:
            pending.call.close()
            self._ctx.log.warning("a hedge was not answered: asked again", command_id=pending.command.command_id)
            self._ask(pending.command, now_ns)

    def _end(self, command: Hedge, reply: Reply, now_ns: int) -> None:
        done_base = float(reply.data.get("hedged_base", 0.0))
        self._last_hedged_base = done_base
        pause_ns = self.policy.end(done_base, now_ns)
        self._ctx.log.info(
            "hedge answered", command_id=command.command_id, ok=reply.ok, text=reply.text, hedged_base=done_base,
            pause_s=pause_ns / NS_PER_S,
        )  # fmt: skip

    def _show(self, now_ns: int) -> None:
        """Write the row of the table `hedges` when it says anything else."""
        policy = self.policy
        shown = (policy.shown_state(now_ns), policy.hedges, self.net_base, self._last_hedged_base)
        if repr(shown) == repr(self._shown):  # a NaN is like a NaN
            return
        self._shown = shown
        table, config = self._tables.hedges, self.config
        table.scratch["underlying"][0] = self.underlying.encode()
        ints, floats = table.ints, table.floats
        ints[_HEDGE_INSTRUMENT], ints[_HEDGE_UPDATED] = self._row, now_ns
        ints[_HEDGE_STATE], ints[_HEDGE_COUNT], floats[_HEDGE_NET], floats[_HEDGE_LAST] = shown
        floats[_HEDGE_TARGET], floats[_HEDGE_BAND] = config.target_base, config.band_base
        table.publish(self._ctx.topology.hedges.index(self.underlying))


class Hedger:
    """Every hedge whose instrument this strategy process has."""

    def __init__(self, ctx: ActorContext, portfolio: Portfolio) -> None:
        own = ctx.topology.strategies[ctx.name]
        tables = HedgeTables(
            ctx.table_reader("limits"),
            ctx.table_reader("market"),
            ctx.table_reader("heartbeats.execution"),
            Comovement(ctx.table_reader("comovement"), len(ctx.instrument_names)),
            ctx.table_writer("hedges"),
        )
        self._portfolio = portfolio
        self._hedges = [
            UnderlyingHedge(ctx, underlying, config, tables)
            for underlying, config in ctx.config.hedge.items()
            if config.instrument in own
        ]
        self._due_ns = 0

    def do_work(self, now_ns: int, *, may_begin: bool) -> None:
        """Look at every hedge, at most every LOOK_INTERVAL_NS."""
        if not self._hedges or now_ns < self._due_ns:
            return
        self._due_ns = now_ns + LOOK_INTERVAL_NS
        for hedge in self._hedges:
            hedge.look(self._portfolio, may_begin=may_begin, now_ns=now_ns)

    def close(self) -> None:
        for hedge in self._hedges:
            hedge.close()
