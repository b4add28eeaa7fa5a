"""Getting out: cancel everything and have the venue confirm it, flatten, settle the books.

Every step is bounded in time. Nothing is believed but the venue's own list of open orders, empty twice. Positions are
closed by our own count of fills, which hears of them first; while that does not add up to what the venue shows, by the
venue's answer alone; in a recovery by neither: what is held is not known before it has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from actors.execution.books import AccountBooks
from actors.execution.desk import Desk
from actors.execution.permission import POSITION_DIFFERS, RECOVERING
from actors.execution.ports import Ports
from actors.execution.prices import Prices
from actors.execution.quotes import QuoteSender
from actors.execution.truth import Truth
from domain.clock import NS_PER_S
from domain.errors import ConnectivityError, ProtocolError, VenueError
from domain.order import Side, TimeInForce
from trading.orders.config import ExecutionConfig
from trading.orders.order import Order
from trading.orders.states import CANCELLABLE_STATES, OrderState
from trading.risk import gate
from venues.gateway import NewOrder, OrderGateway

POLL_S = 0.01
EMPTY_LISTS_NEEDED = 2
PAUSE_S = 0.02
RETRY_S = 0.2
VENUE_POSITION_AGE_NS_MAX = NS_PER_S  # an answer that a flattening goes by
UNKNOWN = "unknown"  # what is left of a position while we recover
REFUSED_PAUSE_S_MAX = 1.6  # between two flattening orders that the venue refuses: doubling from RETRY_S


class Ending:
    """Cancels, flattens and settles on request."""

    def __init__(
        self,
        config: ExecutionConfig,
        ports: Ports,
        gateway: OrderGateway,
        books: AccountBooks,
        quotes: QuoteSender,
        truth: Truth,
        prices: Prices,
        label: str,
    ) -> None:
        self._config = config
        self._clock = ports.clock
        self._log = ports.log
        self._shared = ports.shared
        self._gateway = gateway
        self._books = books
        self._quotes = quotes
        self._truth = truth
        self._prices = prices
        self._label = label
        self._asking = asyncio.Lock()
        self._flattenings_ended = 0  # a flattening that began before it was raised sends nothing more

    def use_config(self, config: ExecutionConfig) -> None:
        """Go by other values from now on."""
        self._config = config

    # ---- cancelling ------------------------------------------------------------------------------------

    def send_cancels(self) -> int:
        """Cancel at once every order that we know of; return how many."""
        now_ns = self._clock.monotonic_ns()
        sent = 0
        try:
            sent += self._quotes.pull_all(now_ns)
            for order in self._books.manager.all_live():
                if order.state in CANCELLABLE_STATES and self._gateway.is_ready:
                    sent += self._quotes.cancel(order, self._books.desk_of(order), now_ns)
        except ConnectivityError:
            pass  # the venue cancels what the broken session left; the list below is what counts
        return sent

    async def cancel_everything(self, timeout_s: float) -> int | None:
        """Cancel all orders of ours; return how many the venue still shows in the end (0 = confirmed twice), or
        None when it could not be asked."""
        deadline_ns = self._clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        self.send_cancels()
        empty_lists = 0
        shown: int | None = None
        is_first = True
        while True:
            try:
                async with asyncio.timeout(max(deadline_ns - self._clock.monotonic_ns(), 0) / NS_PER_S):
                    if is_first:
                        self._books.journal.message("CANCEL_ALL")
                        await self._gateway.cancel_session()
                        self._quotes.session_cancelled()
                        is_first = False
                    shown = await self._truth.cancel_ours()
                empty_lists = 0 if shown else empty_lists + 1
                if empty_lists >= EMPTY_LISTS_NEEDED:
                    return 0
            except (VenueError, ProtocolError) as error:
                is_first = False
                self._log.warning("cancelling is refused by the venue", reason=str(error))
            except (ConnectivityError, TimeoutError):
                empty_lists = 0
            if self._clock.monotonic_ns() >= deadline_ns:
                return shown or None
            await asyncio.sleep(PAUSE_S)

    async def settle(self, timeout_s: float) -> bool:
        """Fetch history and positions until they agree and no fee is waited for; return whether the books are right,
        which they are not without a fee that was given up."""
        deadline_ns = self._clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        while True:
            try:
                async with asyncio.timeout(max(deadline_ns - self._clock.monotonic_ns(), 0) / NS_PER_S):
                    await self._truth.fetch_trades()
                    await self._truth.fetch_positions()
                if not self._truth.differences() and not self._books.ledger.unbooked:
                    return self._truth.is_consistent
            except (ConnectivityError, VenueError, ProtocolError, TimeoutError) as error:
                self._log.warning("settling is delayed", reason=f"{type(error).__name__}: {error}")
            if self._clock.monotonic_ns() >= deadline_ns:
                return False
            await asyncio.sleep(PAUSE_S)

    # ---- flattening ------------------------------------------------------------------------------------

    async def flatten(self, desks: Iterable[Desk] | None = None) -> dict[str, str]:
        """Bring the positions of `desks` (None = all) to zero; return those that are left, by instrument.

        A recovery is waited for as long as a flattening may last; in one that lasts longer each position is UNKNOWN.

        Quotes must be held back by the caller. One reduce-only order an instrument at a time, never
        larger than the position: it cannot turn round.
        """
        deadline_ns = self._clock.monotonic_ns() + int(self._config.flatten_timeout_s * NS_PER_S)
        chosen = list(self._books.desks.values() if desks is None else desks)
        await asyncio.gather(*(self._flatten_desk(desk, deadline_ns) for desk in chosen))
        left = {desk: self._left_lots(desk) for desk in chosen}
        return {
            desk.name: UNKNOWN if lots is None else str(desk.instrument.size(lots))
            for desk, lots in left.items()
            if lots != 0
        }

    def end_flattening(self) -> None:
        """Have a flattening that is under way send nothing more: what follows is to cancel and confirm."""
        self._flattenings_ended += 1

    async def _flatten_desk(self, desk: Desk, deadline_ns: int) -> None:
        ended = self._flattenings_ended
        passive_until_ns = self._clock.monotonic_ns() + int(self._config.flatten_passive_s * NS_PER_S)
        refused_pause_s, closed_ns = RETRY_S, self._clock.monotonic_ns()
        while self._clock.monotonic_ns() < deadline_ns and ended == self._flattenings_ended:
            held_lots = await self._held_lots(desk, closed_ns, deadline_ns)
            if held_lots == 0 or ended != self._flattenings_ended:
                return
            now_ns = self._clock.monotonic_ns()
            is_passive = now_ns < passive_until_ns
            until_ns = min(passive_until_ns, deadline_ns) if is_passive else deadline_ns
            price_ticks = self._price_ticks(desk, held_lots, is_passive) if held_lots is not None else None
            if held_lots is None or price_ticks is None:
                await asyncio.sleep(RETRY_S)
                continue
            order = self._send(desk, held_lots, price_ticks, is_passive, now_ns)
            if order is None:
                await asyncio.sleep(POLL_S)
                continue
            await self._wait_closed(order, until_ns)
            closed_ns = self._clock.monotonic_ns()
            if order.state is OrderState.REJECTED:
                left_s = (until_ns - closed_ns) / NS_PER_S
                await asyncio.sleep(min(refused_pause_s, max(left_s, POLL_S)))
                refused_pause_s = min(2 * refused_pause_s, REFUSED_PAUSE_S_MAX)
            elif self._left_lots(desk) != 0:
                refused_pause_s = RETRY_S
                await asyncio.sleep(POLL_S)

    async def _held_lots(self, desk: Desk, closed_ns: int, deadline_ns: int) -> int | None:
        """Return the position that is to be closed; None = nobody can tell it now, and nothing may be sent."""
        if self._is_differing() and not await self._is_told(closed_ns, deadline_ns):
            return None
        return self._left_lots(desk)

    async def _is_told(self, closed_ns: int, deadline_ns: int) -> bool:
        """Ask the venue for the positions, unless it has told them a moment ago; return whether they are known.

        One that was asked for before the last order of ours had closed, this flattening's or an earlier one's, does not
        know what that has done.
        """
        async with self._asking:  # one answer serves all instruments that wait for it
            now_ns = self._clock.monotonic_ns()
            if self._truth.positions_asked_ns > max(closed_ns, now_ns - VENUE_POSITION_AGE_NS_MAX):
                return True
            if now_ns >= deadline_ns:
                return False
            try:
                async with asyncio.timeout((deadline_ns - now_ns) / NS_PER_S):
                    await self._truth.fetch_positions()
            except (ConnectivityError, VenueError, ProtocolError, TimeoutError) as error:
                self._log.warning("flattening: the venue does not tell the position", reason=repr(error))
                await asyncio.sleep(RETRY_S)  # before the next instrument asks for the same
                return False
            return True

    def _is_differing(self) -> bool:
        """Whether our own count does not add up, so that the venue's alone is gone by; not so while we recover."""
        return POSITION_DIFFERS in self._quotes.holds and RECOVERING not in self._quotes.holds

    def _left_lots(self, desk: Desk) -> int | None:
        """Return what is left of a position, by the count that flattening goes by; None while we recover: a count of
        zero is no more to be believed then than any other."""
        if RECOVERING in self._quotes.holds:
            return None
        return self._truth.venue_lots(desk) if self._is_differing() else desk.position_lots

    def _price_ticks(self, desk: Desk, held_lots: int, is_passive: bool) -> int | None:
        side = _reducing_side(held_lots)
        if is_passive:
            return self._prices.touch_ticks(desk, side)
        return self._prices.crossing_ticks(desk, side, self._config.flatten_collar_bps)

    def _send(self, desk: Desk, held_lots: int, price_ticks: int, is_passive: bool, now_ns: int) -> Order | None:
        """Send one reduce-only order for the whole position, if the gate approves and nothing of ours is out."""
        manager, throttle = self._books.manager, self._quotes.throttle
        lots = abs(held_lots)
        side = _reducing_side(held_lots)
        desk.view(manager.live(desk.row))
        desk.exposure.is_position_known, desk.exposure.position_lots = True, held_lots
        wanted = gate.Order(side, price_ticks, lots, is_reduce_only=True, is_operator=True)
        verdict = gate.check(self._shared.limits, wanted, desk.exposure, now_ns)
        if isinstance(verdict, gate.Refused):
            return None
        if throttle is None or not self._gateway.is_ready or not throttle.take_order(now_ns, is_urgent=True):
            return None
        time_in_force = TimeInForce.GOOD_TILL_CANCELLED if is_passive else TimeInForce.IMMEDIATE_OR_CANCEL
        order = Order(
            client_order_id=self._quotes.next_order_id(),
            instrument=desk.row,
            side=side,
            price_ticks=price_ticks,
            size_lots=lots,
            time_in_force=time_in_force,
            is_reduce_only=True,
            is_operator=True,
        )
        price, size = desk.instrument.price(price_ticks), desk.instrument.size(lots)
        self._books.journal.message(
            "FLATTEN", client_order_id=order.client_order_id, instrument=desk.name, side=side, price=price, size=size
        )
        manager.insert_sent(order, now_ns)
        try:
            self._gateway.insert(
                NewOrder(
                    client_order_id=order.client_order_id,
                    instrument_name=desk.name,
                    side=side,
                    price=price,
                    size=size,
                    time_in_force=time_in_force,
                    post_only=is_passive,
                    reduce_only=True,
                    label=self._label,
                    collar=None if is_passive else "clamp",  # the collar may have moved since risk last saw it
                    stp=self._quotes.stp,
                )
            )
        except ConnectivityError:
            manager.doubt(order, now_ns)
        return order

    async def _wait_closed(self, order: Order, until_ns: int) -> None:
        """Wait for an order's end; one that still rests at `until_ns` is cancelled. An order whose fate is unknown
        is left to the audit: nothing else is sent before it is known."""
        while order.is_live:
            now_ns = self._clock.monotonic_ns()
            if now_ns >= until_ns and order.state in CANCELLABLE_STATES:
                try:
                    self._quotes.cancel(order, self._books.desk_of(order), now_ns)
                except ConnectivityError:
                    return
            if now_ns >= until_ns + self._config.answer_timeout_ms * 1_000_000:
                return
            await asyncio.sleep(POLL_S)


def _reducing_side(held_lots: int) -> Side:
    return Side.SELL if held_lots > 0 else Side.BUY
