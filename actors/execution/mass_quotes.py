"""Quoting with mass quotes: one message brings all levels of a product to the wishes; market-maker protection.

A mass quote does not count what was filled: while it is on its way an old level may fill and the new one comes on
top. So both count against the limits until the venue has said that the old one is gone, and a side waits for that
before it is sent again. Whatever must go at once goes: by an empty side, or, without a token for one, by cancelling
the quotes of the product, which is a cancel and never waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from actors.execution.desk import Desk, trimmed
from actors.execution.ports import Ports
from actors.execution.quotes import QuoteParts, QuoteSender
from domain.clock import NS_PER_MS
from domain.codes import RiskReason
from domain.errors import ConfigError, ConnectivityError, VenueError
from domain.order import Side
from domain.records import LIMITS
from domain.reports import OrderReport
from trading.orders.mass_quote import SideQuote, against_live, quote_side
from trading.orders.order import Order
from trading.orders.protection_groups import GroupState, ProtectionGroups
from trading.orders.reconcile import Level, LiveOrder, Step, StepKind
from trading.orders.states import OrderState
from trading.risk import gate
from venues.quoting import MassQuote, ProtectionReport, QuotedSide, QuoteFailure, QuoteGateway

CODE_PROTECTION_NOT_SET = 23
CODES_NOT_ENABLED = frozenset({28, 51})  # unauthorized; mass quoting is not enabled
_ORDER_MAX = LIMITS.word("order_lots_max")
_WAITING_REASONS = frozenset({RiskReason.ORDER_RATE, RiskReason.SELF_CROSS})  # they pass by themselves
_CANCELLABLE = frozenset({OrderState.PENDING_NEW, OrderState.WORKING})


class _Item(NamedTuple):
    """What a message is to do with one instrument."""

    desk: Desk
    sides: list[tuple[Side, SideQuote]]
    source_time_ns: int

    @property
    def clears(self) -> bool:
        """Whether something must go, whatever the throttle says."""
        return any(not quote.levels for _, quote in self.sides)

    def without_new(self) -> _Item:
        """Return what may be done while no new quote may be placed."""
        return self._replace(sides=[(side, quote) for side, quote in self.sides if not quote.levels])


class _Sent(NamedTuple):
    """A mass quote that is not answered yet."""

    sent_ns: int
    orders: list[Order]


class MassQuotes(QuoteSender):
    """All levels of a product in one message.

    Args:
        venue: the gateway's mass quotes.
        on_rejected: told of each new level that the venue refused, by our number.

    Attributes:
        groups: market-maker protection of each product.
    """

    def __init__(
        self, parts: QuoteParts, ports: Ports, venue: QuoteGateway, on_rejected: Callable[[int, VenueError], None]
    ) -> None:
        super().__init__(parts)
        self._venue = venue
        self._log = ports.log
        self._spawn = ports.spawn
        self._work_soon = ports.work_soon
        self._on_rejected = on_rejected
        self._terms = parts.config.mass_quotes
        self.groups = ProtectionGroups(
            self._terms.cooldown_ms * NS_PER_MS, self._terms.protection_window_ms * NS_PER_MS
        )
        self._items: dict[str, list[_Item]] = {}
        self._sent: dict[int, _Sent] = {}

    # ---- what to send ----------------------------------------------------------------------------------

    def _bring(self, desk: Desk, source_time_ns: int, now_ns: int) -> int:
        """Work out what the instrument needs; `finish` sends it with what others of its product need."""
        throttle = self.throttle
        if throttle is None or not self._gateway.is_ready:
            return 0
        view = desk.view(self._manager.live(desk.row))
        bids, asks = self._wanted(desk, view)
        if (bids or asks) and not self._may_place(desk, now_ns):
            bids, asks = [], []
        self.ready_gate(desk, throttle, now_ns)
        began_ns = self._clock.monotonic_ns()
        sides = []
        for side, wanted, live in ((Side.BUY, bids, view.bids), (Side.SELL, asks, view.asks)):
            quote = self._side(desk, side, wanted, live, now_ns)
            if quote is not None:
                sides.append((side, quote))
        if not sides:
            desk.throttled_since_ns = 0
            return 0
        self._measures.gate.record(self._clock.monotonic_ns() - began_ns)
        self._items.setdefault(self._venue.product(desk.instrument), []).append(_Item(desk, sides, source_time_ns))
        return 0

    def _side(
        self, desk: Desk, side: Side, wanted: list[Level], live: list[LiveOrder], now_ns: int
    ) -> SideQuote | None:
        quote = quote_side(
            wanted,
            live,
            is_buy=side is Side.BUY,
            amend_threshold_ticks=self._config.amend_threshold_ticks,
            size_tolerance_permille=self._size_tolerance_permille,
            fill_threshold_permille=self._fill_threshold_permille,
        )
        if quote is None or not quote.levels:
            return quote
        exposure = desk.exposure
        if side is Side.BUY:
            room_lots, meets_own = (
                desk.room_lots[0] - exposure.buy_lots,
                (quote.levels[0][0] >= exposure.own_best_ask_ticks),
            )
        else:
            room_lots, meets_own = (
                desk.room_lots[1] - exposure.sell_lots,
                (quote.levels[0][0] <= exposure.own_best_bid_ticks),
            )
        if meets_own:
            return None  # our own other side must be out of the way first; its report brings us back here
        order_lots_max = self._shared.limits.ints[_ORDER_MAX]
        levels = trimmed(quote.levels, room_lots, desk.instrument.order_lots_min, order_lots_max)
        approved = self._approved(desk, side, levels, len(live), now_ns)
        if approved is None:
            return None
        quote = against_live(approved, live)
        return quote if quote.fresh or quote.leaving else None

    def _approved(self, desk: Desk, side: Side, levels: list[Level], replaced: int, now_ns: int) -> list[Level] | None:
        """Return the levels that the gate lets pass, on top of all that rests; None when it says to wait."""
        exposure = desk.exposure
        exposure.open_orders -= replaced
        approved = []
        for price_ticks, lots in levels:
            verdict = gate.check(self._shared.limits, gate.Order(side, price_ticks, lots), exposure, now_ns)
            if isinstance(verdict, gate.Refused):
                step = Step(StepKind.INSERT, 0, side is Side.BUY, price_ticks, lots, lots)
                self._tell_refusal(desk, step, verdict)
                if verdict.reason in _WAITING_REASONS:
                    desk.is_dirty = True
                    return None
                if verdict.reason is RiskReason.OPEN_ORDERS:
                    break
                continue
            approved.append((price_ticks, lots))
            exposure.open_orders += 1
            if side is Side.BUY:
                exposure.buy_lots += lots
                exposure.own_best_bid_ticks = max(exposure.own_best_bid_ticks, price_ticks)
            else:
                exposure.sell_lots += lots
                exposure.own_best_ask_ticks = min(exposure.own_best_ask_ticks, price_ticks)
        if len(self.desks) > 1:
            desk.added_notional = gate.notional_added(self._shared.limits, exposure)
        return approved

    # ---- sending ---------------------------------------------------------------------------------------

    def finish(self, now_ns: int) -> Sequence[Desk]:
        """Send what the instruments need, a message for each product; return those whose orders changed."""
        if not self._items:
            return ()
        items, self._items = self._items, {}
        touched: list[Desk] = []
        for product, wanted in items.items():
            touched += self._send(product, wanted, now_ns)
        return touched

    def _send(self, product: str, items: list[_Item], now_ns: int) -> list[Desk]:
        throttle = self.throttle
        assert throttle is not None, "nothing is planned without a throttle"
        if not self.breaker.may_insert(now_ns):
            for item in items:
                item.desk.is_dirty = True
            items = [item for item in (item.without_new() for item in items) if item.sides]
        if not items:
            return []
        began_ns = self._clock.monotonic_ns()
        if throttle.wait_ns(began_ns):
            for item in items:
                self._wait(item.desk, began_ns)
            must_go = any(item.clears for item in items)
            return self._pull(product, began_ns) if must_go else []
        is_free = throttle.take_order(began_ns)
        assert is_free, "the throttle had a token a moment ago"
        quote = self._booked(items, began_ns)
        try:
            sent_ns = self._venue.mass_quote(quote)
        except ConnectivityError:
            for order in self._sent.pop(quote.quote_id).orders:
                self._manager.doubt(order, began_ns)
            return []
        self._measures.send.record(sent_ns - began_ns)
        self._measures.counts.add("mass_quotes")
        for item in items:
            self._note_sent(item.desk, item.source_time_ns, sent_ns)
        return [item.desk for item in items]

    def _booked(self, items: list[_Item], now_ns: int) -> MassQuote:
        """Enter what a message will do into the order book, before it leaves; return the message."""
        realtime_ns = self._clock.realtime_ns()
        orders: list[Order] = []
        sides = []
        for desk, wanted, _ in items:
            wish_id = desk.wish.wish_id if desk.wish is not None else 0
            price, size = desk.instrument.price, desk.instrument.size
            for side, quote in wanted:
                levels = tuple((price(price_ticks), size(lots)) for price_ticks, lots in quote.levels)
                sides.append(QuotedSide(desk.name, side, levels))
                for client_order_id in quote.leaving:
                    leaving = self._manager.get(client_order_id)
                    assert leaving is not None, f"quote {client_order_id} is not in the book"
                    self._manager.cancel_sent(leaving, now_ns)
                    orders.append(leaving)
                    self._journal.note(realtime_ns, "CANCEL", client_order_id, desk.name)
                for price_ticks, lots in quote.fresh:
                    order = self._new_quote(desk, side, price_ticks, lots, wish_id)
                    self._manager.insert_sent(order, now_ns)
                    orders.append(order)
                    self._journal.note(
                        realtime_ns, "QUOTE", order.client_order_id, desk.name, side is Side.BUY, price_ticks, lots,
                        wish_id,
                    )  # fmt: skip
                    self.breaker.on_sent(now_ns)
        quote_id = self.next_order_id()
        self._sent[quote_id] = _Sent(now_ns, orders)
        return MassQuote(
            quote_id=quote_id, sides=tuple(sides), post_only=self._config.post_only, label=self._label, stp=self.stp
        )

    def _new_quote(self, desk: Desk, side: Side, price_ticks: int, lots: int, wish_id: int = 0) -> Order:
        return Order(
            client_order_id=self.next_order_id(),
            instrument=desk.row,
            side=side,
            price_ticks=price_ticks,
            size_lots=lots,
            wish_id=wish_id,
            is_quote=True,
        )

    # ---- taking back -----------------------------------------------------------------------------------

    def pull_all(self, now_ns: int) -> int:
        """Take all quotes back, without waiting for a token; return messages sent."""
        products = {self._venue.product(desk.instrument) for desk in self.desks if self._cancellable(desk)}
        return sum(bool(self._pull(product, now_ns)) for product in sorted(products))

    def _pull(self, product: str, now_ns: int) -> list[Desk]:
        """Cancel every quote of a product, those in flight too: its group is deleted, so nothing can arrive later."""
        desks = self._desks_of(product)
        if self.throttle is None or not self._gateway.is_ready or not self.throttle.take_cancel(now_ns):
            for desk in desks:
                desk.is_dirty = True
            return []
        orders = [order for desk in desks for order in self._cancellable(desk)]
        for order in orders:
            self._manager.cancel_sent(order, now_ns)
        try:
            self._venue.cancel_mass_quotes(product)
        except ConnectivityError:
            for order in orders:
                self._manager.doubt(order, now_ns)
            return []
        self._journal.note(self._clock.realtime_ns(), "PULL", 0, product)
        self.groups.reset([product])
        for desk in desks:
            desk.is_dirty = True
        return desks

    def _cancellable(self, desk: Desk) -> list[Order]:
        return [order for order in self._manager.live(desk.row) if order.is_quote and order.state in _CANCELLABLE]

    def cancel(self, order: Order, desk: Desk, now_ns: int) -> int:
        if not order.is_quote:
            return super().cancel(order, desk, now_ns)
        return bool(self._pull(self._venue.product(desk.instrument), now_ns))

    def session_cancelled(self) -> None:
        self.groups.reset()

    def on_disconnected(self) -> None:
        self.groups.reset()
        self._sent.clear()

    # ---- what the venue says ---------------------------------------------------------------------------

    def on_quoted(self, quote_id: int, failures: list[QuoteFailure]) -> None:
        """A mass quote was carried out; what failed of it is rejected when it is named, and asked about if not."""
        sent = self._sent.pop(quote_id, None)
        if sent is None:
            return
        now_ns = self._clock.monotonic_ns()
        self._measures.answer.record(now_ns - sent.sent_ns)
        if not failures:
            return
        for failure in failures:
            self._note_failure(failure.error, sent)
            named = [order for order in sent.orders if self._is_named(order, failure)]
            if len(named) == 1:
                self._on_rejected(named[0].client_order_id, failure.error)
        self._doubt(sent, now_ns)
        self._log.warning("quotes failed", count=len(failures), reason=str(failures[0].error))

    def on_quote_rejected(self, quote_id: int, error: VenueError) -> None:
        """A whole message was refused: nothing of it was carried out."""
        sent = self._sent.pop(quote_id, None)
        if sent is None:
            self._log.warning("quotes could not be cancelled", reason=str(error))
            return
        self._note_failure(error, sent)
        for order in sent.orders:
            if order.state is OrderState.PENDING_NEW:
                self._on_rejected(order.client_order_id, error)
        self._doubt(sent, self._clock.monotonic_ns())

    def on_protection(self, reports: list[ProtectionReport]) -> None:
        for report in reports:
            if report.reason == "executions":
                self.groups.used(report.product, self._clock.monotonic_ns())
                if report.remaining <= 0:
                    self._used_up(report.product)
            elif report.reason != "refill":
                self.groups.is_unset(report.product)

    def take_untracked(self, report: OrderReport, desk: Desk, now_ns: int) -> bool:
        """Take over a quote that rests and was not expected: a level that we named to keep it had been filled."""
        if report.price is None or report.client_order_id is not None or self.holds:
            return False
        terms = desk.instrument.price_ticks(report.price), desk.instrument.size_lots(report.size)
        self._manager.insert_sent(self._new_quote(desk, report.side, *terms), now_ns)
        return True

    def note_closed(self, report: OrderReport, desk: Desk) -> None:
        super().note_closed(report, desk)
        if report.delete_reason == "mm_protection":
            self._used_up(self._venue.product(desk.instrument))

    def _is_named(self, order: Order, failure: QuoteFailure) -> bool:
        if order.state is not OrderState.PENDING_NEW or order.side is not failure.side or failure.price is None:
            return False
        instrument = self.desks[order.instrument].instrument
        return instrument.price(order.price_ticks) == failure.price

    def _note_failure(self, error: VenueError, sent: _Sent) -> None:
        if error.code == CODE_PROTECTION_NOT_SET:
            for row in {order.instrument for order in sent.orders}:
                self.groups.is_unset(self._venue.product(self.desks[row].instrument))

    def _doubt(self, sent: _Sent, now_ns: int) -> None:
        for order in sent.orders:
            if order.is_in_flight:
                self._manager.doubt(order, now_ns)
                self.desks[order.instrument].is_dirty = True

    # ---- protection ------------------------------------------------------------------------------------

    def _may_place(self, desk: Desk, now_ns: int) -> bool:
        """Whether the product is protected; if it is not, see to it."""
        product = self._venue.product(desk.instrument)
        state = self.groups.state(product, now_ns)
        if state is GroupState.COOLING:
            desk.is_allowed = (False, False)
        elif self.groups.must_set(product, now_ns):
            self._begin_protecting(product, now_ns)
        return state is GroupState.SET

    def _begin_protecting(self, product: str, now_ns: int) -> None:
        if self.throttle is not None and self.throttle.take_order(now_ns):
            self.groups.set_sent(product)
            self._spawn(self._protect(product), f"protection of {product}")

    async def _protect(self, product: str) -> None:
        terms = self._terms
        trade, quote = Decimal(repr(terms.protection_trade_base)), Decimal(repr(terms.protection_quote_base))
        try:
            await self._venue.set_protection(product, trade, quote)
        except VenueError as error:
            if error.code in CODES_NOT_ENABLED:
                raise ConfigError(
                    f'execution.mode = "mass_quotes": the venue does not let this account quote so ({error}): ask it '
                    'to, or set mode = "orders"'
                ) from None
            self.groups.refused(product, self._clock.monotonic_ns())
            self._log.warning("market-maker protection is refused", product=product, reason=str(error))
        except ConnectivityError as error:
            self.groups.refused(product, self._clock.monotonic_ns())
            self._log.warning("market-maker protection is not confirmed", product=product, reason=str(error))
        else:
            self.groups.confirmed(product)
            self._log.debug("market-maker protection set", product=product, trade=str(trade), quote=str(quote))
        self._wake(product)

    def _used_up(self, product: str) -> None:
        if self.groups.used_up(product, self._clock.monotonic_ns()):
            self._measures.counts.add("mm_protections")
            self._log.warning(
                "market-maker protection used up: the venue took the quotes back", product=product,
                cooldown_ms=self._terms.cooldown_ms,
            )  # fmt: skip
            self._wake(product)

    def look_after(self, now_ns: int) -> None:
        """Come back to the products whose cool-down or pause is over, and fill up what was used."""
        super().look_after(now_ns)
        for desk in self.desks:
            product = self._venue.product(desk.instrument)
            if self.groups.must_set(product, now_ns):
                desk.is_dirty = True
            elif self.groups.must_fill_up(product, now_ns) and self._gateway.is_ready:
                self._begin_protecting(product, now_ns)

    def troubles(self, now_ns: int) -> list[str]:
        return [*super().troubles(now_ns), *(f"{product} cools down" for product in self.groups.cooling(now_ns))]

    def _wake(self, product: str) -> None:
        for desk in self._desks_of(product):
            desk.is_dirty = True
        self._work_soon()

    def _desks_of(self, product: str) -> list[Desk]:
        return [desk for desk in self.desks if self._venue.product(desk.instrument) == product]
