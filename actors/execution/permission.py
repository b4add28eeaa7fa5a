"""Whether quotes may rest now, and if not, why not. Everything must be right: one doubt pulls them."""

from __future__ import annotations

from actors.execution.desk import Desk
from actors.execution.watch import Watch
from domain.clock import NS_PER_MS
from domain.order import LIMITS_AGE_NS_MAX, TradingState
from domain.records import LIMITS
from shm.errors import RecordBusyError
from shm.record import TableReader

HALTED, FLATTENING = "halted", "flattening"
RECOVERING, POSITION_DIFFERS = "recovering", "position differs from the venue's"
RISK_SILENT = "risk is silent"
NO_STRATEGY = "followed, not quoted"
WISH_OLD, WISH_EARLIER = "wish is too old", "wish of an earlier strategy"
HALT_SETTLES_NS = 200 * NS_PER_MS  # limits written sooner after a halt command may not know of it yet
LIMITS_BUSY_NS_MAX = 100 * NS_PER_MS
_POSITION_UNKNOWN = frozenset({RECOVERING, POSITION_DIFFERS})
_HALTED_STATE = int(TradingState.HALTED)
_WRITTEN = LIMITS.word("written_time_ns")
_STATE = LIMITS.word("state")
_BOUNDS = tuple(
    LIMITS.word(name) for name in ("state", "position_lots", "position_lots_max", "order_lots_max", "levels_max")
)


class Permission:
    """Who may take the quotes away.

    Attributes:
        holds: reasons of our own for which nothing is quoted at all.
        wish_age_ns_max: quotes of an older wish are pulled.
        halted_time_ns: monotonic, when risk last told us to halt; younger limits than that end it.
    """

    def __init__(self, limits: TableReader, watch: Watch, wish_age_ns_max: int) -> None:
        self._limits = limits
        self._watch = watch
        self.wish_age_ns_max = wish_age_ns_max
        self.holds: set[str] = set()
        self.halted_time_ns = 0

    @property
    def is_position_known(self) -> bool:
        """Whether fills and orders add up to what the venue shows: without that only the way out is open, by what the
        venue shows, and in a recovery not even that."""
        return self.holds.isdisjoint(_POSITION_UNKNOWN)

    def blocked_by(self, desk: Desk, now_ns: int) -> str | None:
        """Return why no quote may rest now; empty when it may; None when that cannot be told just now.

        Unless something else blocks, the limits of the instrument are loaded afterwards; when they have changed,
        the desk is dirty, for what rests must obey them too.
        """
        if self.holds:
            return min(self.holds)
        if self._watch.suspect:
            return f"{self._watch.suspect} is silent"
        strategy = self._watch.strategies.get(desk.strategy)
        if strategy is None:
            return NO_STRATEGY
        if strategy.is_suspect:
            return f"{strategy.name} is silent"
        if desk.held_by:
            return desk.held_by
        if desk.is_flattening:
            return FLATTENING
        wish = desk.wish
        if wish is None:
            return "no wish yet"
        if wish.strategy_epoch != strategy.epoch:
            return WISH_EARLIER
        if now_ns - wish.computed_time_ns > self.wish_age_ns_max:
            return WISH_OLD
        return self._blocked_by_limits(desk, now_ns)

    def _blocked_by_limits(self, desk: Desk, now_ns: int) -> str | None:
        limits = self._limits
        try:
            limits.load(desk.row)
        except RecordBusyError:  # risk was preempted, or killed, while it wrote
            desk.limits_busy_since_ns = desk.limits_busy_since_ns or now_ns
            return None if now_ns - desk.limits_busy_since_ns < LIMITS_BUSY_NS_MAX else RISK_SILENT
        desk.limits_busy_since_ns = 0
        ints = limits.ints
        written_ns = ints[_WRITTEN]
        if abs(now_ns - written_ns) > LIMITS_AGE_NS_MAX:
            return RISK_SILENT
        is_halted = ints[_STATE] == _HALTED_STATE
        if self.halted_time_ns and (is_halted or written_ns < self.halted_time_ns + HALT_SETTLES_NS):
            return HALTED
        bounds = tuple([ints[word] for word in _BOUNDS])
        if bounds != desk.bounds_seen:
            desk.bounds_seen = bounds
            desk.is_dirty = True
        return ""
