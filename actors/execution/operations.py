"""What an operator, risk or the supervisor may have execution do: cancel, halt, flatten, stop, report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import msgspec

from actors.execution.books import AccountBooks
from actors.execution.desk import Desk
from actors.execution.ending import Ending
from actors.execution.hedging import Hedging
from actors.execution.permission import FLATTENING
from actors.execution.ports import Ports
from actors.execution.prices import Prices
from actors.execution.protective_stops import ProtectiveStops
from actors.execution.quotes import QuoteSender
from actors.execution.recovery import Recovery
from actors.execution.report import build_report
from actors.execution.truth import Truth
from runtime.paths import write_atomically

STOPPING, CANCELLING = "stopping", "cancelling"
SETTLE_TIMEOUT_S = 3.0
# What a stop that flattens waits for a recovery: one that ends differing takes fifteen seconds. With three times
# SETTLE_TIMEOUT_S it stays below the supervisor's FLATTEN_MARGIN_S (runtime/supervision/relay.py).
RECOVERY_TIMEOUT_S = 17.0


class Operations:
    """Each holds the quotes back while it lasts, and ends what would place orders beside it."""

    def __init__(
        self,
        stop_timeout_s: float,
        ports: Ports,
        books: AccountBooks,
        quotes: QuoteSender,
        truth: Truth,
        recovery: Recovery,
        ending: Ending,
        hedging: Hedging,
        stops: ProtectiveStops | None,
        prices: Prices,
    ) -> None:
        self._stop_timeout_s = stop_timeout_s
        self._ports = ports
        self._clock = ports.clock
        self._books = books
        self._desks: Mapping[str, Desk] = books.desks
        self._quotes = quotes
        self._truth = truth
        self._recovery = recovery
        self._ending = ending
        self._hedging = hedging
        self._stops = stops
        self._prices = prices
        self._under_way: Counter[str] = Counter()  # operations at once, by the hold or the instrument that they share

    async def cancel_all(self) -> int | None:
        """Cancel every order of ours; quoting goes on afterwards. Return what the venue still shows; None = unknown."""
        self._hedging.end(CANCELLING)
        with self._holding(CANCELLING):
            return await self._ending.cancel_everything(self._stop_timeout_s)

    async def halt(self) -> int | None:
        """Cancel every order of ours and stay out until risk's limits say otherwise."""
        self._quotes.permission.halted_time_ns = self._clock.monotonic_ns()
        self._ending.end_flattening()
        return await self.cancel_all()

    async def flatten(self) -> dict[str, str]:
        """Cancel, then bring every position to zero; return what is left of them (ending.UNKNOWN in a recovery that
        lasts longer), empty = flat."""
        self._hedging.end(FLATTENING)
        with self._holding(FLATTENING):
            await self._ending.cancel_everything(self._stop_timeout_s)
            return await self._ending.flatten()

    async def flatten_instrument(self, desk: Desk) -> dict[str, str]:
        """Bring one position to zero while the others are quoted; return what is left of it, empty = flat."""
        self._hedging.end(FLATTENING)
        self._under_way[desk.name] += 1
        desk.is_flattening = True
        self._ports.work_soon()
        try:
            return await self._ending.flatten([desk])
        finally:
            self._under_way[desk.name] -= 1
            desk.is_flattening = self._under_way[desk.name] > 0

    async def stop(self, *, flatten: bool) -> dict[str, Any]:
        """Cancel, confirm, flatten if asked, settle the books; return the final report, which is also written.

        What is held is known once a recovery has ended: a flattening waits for it, RECOVERY_TIMEOUT_S at most.
        """
        self._begin_stop()
        open_orders = await self._ending.cancel_everything(self._stop_timeout_s)
        if flatten:
            await self._recovery.ended(RECOVERY_TIMEOUT_S)
            if left := await self._ending.flatten():
                self._ports.log.warning("the session ends with positions", **left)
            open_orders = await self._ending.cancel_everything(self._stop_timeout_s)
        is_consistent = await self._recovery.ended(SETTLE_TIMEOUT_S) and await self._ending.settle(SETTLE_TIMEOUT_S)
        if self._stops is not None:
            await self._stops.end(SETTLE_TIMEOUT_S)
        return self._final_report(open_orders, is_consistent)

    async def stop_at_once(self, timeout_s: float) -> int | None:
        """Cancel and confirm, nothing else; return what the venue still shows."""
        self._begin_stop()
        open_orders = await self._ending.cancel_everything(timeout_s)
        self._final_report(open_orders, self._truth.is_consistent)
        return open_orders

    def report(self, open_orders: int | None, is_consistent: bool) -> dict[str, Any]:
        marks = {name: self._booked_mark(desk) for name, desk in self._desks.items()}
        counts = self._ports.measures.counts.values()
        return build_report(
            self._books.ledger, self._desks, self._truth.venue_positions, marks, counts, open_orders, is_consistent
        )

    def _booked_mark(self, desk: Desk) -> Decimal:
        """Return the mark price at which the venue itself values the position; else the newest one known."""
        report = self._truth.venue_positions.get(desk.name)
        if report is not None and report.mark_price > 0:
            return report.mark_price
        return self._prices.mark_price(desk) or Decimal(0)

    @contextmanager
    def _holding(self, reason: str) -> Iterator[None]:
        """Quote nothing for `reason`, until the last of those that hold it at the same time has ended."""
        self._under_way[reason] += 1
        self._quotes.holds.add(reason)
        try:
            yield
        finally:
            self._under_way[reason] -= 1
            if not self._under_way[reason]:
                self._quotes.holds.discard(reason)

    def _begin_stop(self) -> None:
        self._quotes.holds.add(STOPPING)
        self._ending.end_flattening()
        self._hedging.end(STOPPING)
        now_ns = self._clock.monotonic_ns()
        for desk in self._desks.values():
            desk.quoted_time.end(now_ns)

    def _final_report(self, open_orders: int | None, is_consistent: bool) -> dict[str, Any]:
        self._books.publish_accounts(self._clock.monotonic_ns())
        report = self.report(open_orders, is_consistent)
        content = msgspec.json.format(msgspec.json.encode(report), indent=1)
        try:
            write_atomically(self._ports.run_dir / "execution.json", content)
        except OSError as error:  # who asked for it gets it in any case
            self._ports.log.error("the final report cannot be written", reason=str(error))
        return report
