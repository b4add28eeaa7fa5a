"""Measures how the session's instruments move together, and publishes it: one row a pair.

It looks at the table `market`, whose mids are without our own orders.
"""

from __future__ import annotations

import math

from domain.clock import NS_PER_MS
from domain.records import COMOVEMENT, SHARED_MARKET_DATA
from runtime.actor import ActorContext
from shm.errors import RecordBusyError
from shm.record import TableReader
from trading.hedging.comovement import Comovements, Pair, pair_rows
from trading.risk.account_view import AccountView

_STATUS = SHARED_MARKET_DATA.word("status")
_MID = SHARED_MARKET_DATA.word("mid")
_FLOATS = ("variance_a", "variance_b", "covariance", "correlation", "beta_a_on_b", "beta_b_on_a", "weight")
_FLOAT_WORDS = tuple((name, COMOVEMENT.word(name)) for name in _FLOATS)
_KEPT = ("variance_a", "variance_b", "covariance", "weight")


class ComovementPublisher:
    """The one writer of the table `comovement`."""

    def __init__(self, ctx: ActorContext) -> None:
        """Go on from what a predecessor left; its weight has shrunk meanwhile."""
        self._config = ctx.config.comovement
        self._market: TableReader = ctx.table_reader("market")
        self._table = ctx.table_writer("comovement")
        count = len(ctx.instrument_names)
        self._pairs = list(pair_rows(count))
        self._estimates = Comovements(count, self._config)
        now_ns = ctx.clock.monotonic_ns()
        for row, pair in enumerate(self._estimates.pairs):
            if self._table.load_own(row):
                self._resume(pair, now_ns)

    def do_work(self, now_ns: int) -> None:
        """Look at the mids when a point of the grid has passed."""
        if not self._pairs or not self._estimates.is_due(now_ns):
            return
        mids = [self._mid(row) for row in range(self._market.rows)]
        for row in self._estimates.look(mids, now_ns):
            self._publish(row, now_ns)

    def tell(self, account: AccountView) -> None:
        """Hand the correlations that are warm to risk's view of the account."""
        for row, pair in enumerate(self._estimates.pairs):
            is_warm = pair.samples >= self._config.samples_min
            account.on_correlation(*self._pairs[row], pair.correlation if is_warm else math.nan)

    def _mid(self, row: int) -> float:
        market = self._market
        try:
            is_live = market.load(row) and market.ints[_STATUS]
        except RecordBusyError:
            is_live = False
        return float(market.floats[_MID]) if is_live else math.nan

    def _resume(self, pair: Pair, now_ns: int) -> None:
        ints, floats = self._table.ints, self._table.floats
        age_ms = (now_ns - ints[COMOVEMENT.word("updated_time_ns")]) / NS_PER_MS
        decay = 0.5 ** (age_ms / 1000 / self._config.halflife_s)
        pair.samples = ints[COMOVEMENT.word("samples")]
        for name in _KEPT:
            setattr(pair, name, floats[COMOVEMENT.word(name)])
        pair.weight *= decay

    def _publish(self, row: int, now_ns: int) -> None:
        pair = self._estimates.pairs[row]
        ints, floats = self._table.ints, self._table.floats
        ints[COMOVEMENT.word("instrument_a")], ints[COMOVEMENT.word("instrument_b")] = self._pairs[row]
        ints[COMOVEMENT.word("updated_time_ns")] = now_ns
        ints[COMOVEMENT.word("samples")] = pair.samples
        ints[COMOVEMENT.word("is_warm")] = pair.samples >= self._config.samples_min
        for name, word in _FLOAT_WORDS:
            floats[word] = getattr(pair, name)
        self._table.publish(row)
