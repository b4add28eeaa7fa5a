"""What the venue tells us, booked once: orders, fills, position; told on to strategy, risk and recorder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from actors.execution.desk import Desk
from actors.execution.journal import Journal
from actors.execution.ports import Ports
from domain.codes import OrderEventKind
from domain.errors import VenueError
from domain.order import LiquiditySide, RequestKind, Side
from domain.records import ORDER_EVENT, TEXT_BYTES
from domain.reports import FillKey, OrderReport, TradeReport
from shm.ring import RingReader
from trading.ledger import Ledger
from trading.orders.changes import Change
from trading.orders.manager import OrderManager
from trading.orders.order import Order

_COUNTERS = {
    OrderEventKind.ACCEPTED: "inserted",
    OrderEventKind.AMENDED: "amended",
    OrderEventKind.CANCELLED: "cancelled",
    OrderEventKind.REJECTED: "rejected",
    OrderEventKind.DENIED: "denied",
    OrderEventKind.FILLED: "fills",
}
# They tell strategy no more than what it asked for; it reads the account row at its next wake in any case.
_ACKNOWLEDGEMENTS = frozenset({OrderEventKind.ACCEPTED, OrderEventKind.AMENDED})
_KIND = ORDER_EVENT.word("kind")
_FIELDS = (
    "kind", "instrument", "client_order_id", "side", "price_ticks", "size_lots", "remaining_lots", "position_lots",
    "leg_index", "liquidity_side", "venue_code", "exchange_time_ns", "local_time_ns", "local_realtime_ns", "wish_id",
)  # fmt: skip
assert [ORDER_EVENT.word(name) for name in _FIELDS] == list(range(_KIND, _KIND + len(_FIELDS)))


class ToldFills(NamedTuple):
    """Fills that an earlier process of this session has told already: a restart counts them, and tells them not.

    Attributes:
        keys: those that the ring of order events still holds.
        before_time_ns: what the venue stamped earlier was told by events that the ring has overwritten.
    """

    keys: frozenset[FillKey] = frozenset()
    before_time_ns: int = 0

    def contains(self, key: FillKey, exchange_time_ns: int) -> bool:
        return key in self.keys or 0 < exchange_time_ns < self.before_time_ns


def read_told_fills(order_events: RingReader) -> ToldFills:
    """Return the fills in the ring of order events; `order_events` starts at the oldest record."""
    records = order_events.read()
    fills = records[records["kind"] == OrderEventKind.FILLED]
    keys = frozenset(
        (trade_id.decode(), venue_order_id.decode(), int(leg_index))
        for trade_id, venue_order_id, leg_index in zip(
            fills["trade_id"], fills["venue_order_id"], fills["leg_index"], strict=True
        )
    )
    was_overwritten = order_events.position > len(records)
    stamps = fills["exchange_time_ns"][fills["exchange_time_ns"] > 0]
    return ToldFills(keys, int(stamps.min()) if was_overwritten and len(stamps) else 0)


class AccountBooks:
    """Orders and money of the account, kept in agreement; every change is an order event.

    Attributes:
        is_known: the account was recovered from the venue and agrees with it.
        journal: where whoever sends or books something writes it down.
    """

    def __init__(
        self,
        ports: Ports,
        manager: OrderManager,
        ledger: Ledger,
        desks: Mapping[str, Desk],
        journal: Journal,
        told: ToldFills,
    ) -> None:
        self._clock = ports.clock
        self._log = ports.log
        self._events = ports.shared.order_events
        self._accounts = ports.shared.accounts
        self._bells = ports.shared.bells
        self._measures = ports.measures
        self.journal = journal
        self._told = told
        self._given_up: Ledger | None = None  # all that it has counted is told
        self.manager = manager
        self.ledger = ledger
        self.desks = dict(desks)
        self._by_row = {desk.row: desk for desk in desks.values()}
        self.is_known = False

    def desk_of(self, order: Order) -> Desk:
        return self._by_row[order.instrument]

    # ---- what comes in ---------------------------------------------------------------------------------

    def take_report(self, report: OrderReport, now_ns: int) -> bool:
        """Book a report on an order; False when the order is not in our book (its fills are booked even so)."""
        self._count_duplicates(report)
        order = self._order_of(report)
        was_in_flight = order is not None and order.is_in_flight
        before = order.standing if order is not None and order.venue_order_id == report.venue_order_id else None
        changes = self.manager.apply_report(report, now_ns)
        if changes is None:
            self._take_stray_fills(report, now_ns)
            return False
        if order is not None and was_in_flight and not order.is_in_flight:
            self._measures.answer.record(now_ns - order.sent_time_ns)
        if not changes and order is not None and order.standing == before:
            return True  # the venue tells every fact twice, as an answer and as a notification
        self.take_changes(changes, now_ns)
        is_awaited = all(change.kind in _ACKNOWLEDGEMENTS for change in changes) and self._is_awaited(report)
        self._touch(report.instrument_name, now_ns, is_awaited=is_awaited)
        return True

    def take_rejection(self, kind: RequestKind, client_order_id: int, error: VenueError, now_ns: int) -> None:
        order = self.manager.get(client_order_id)
        changes = self.manager.apply_rejection(kind, client_order_id, error, now_ns)
        self.take_changes(changes, now_ns)
        if order is not None:
            self._touch(self.desk_of(order).name, now_ns)

    def take_trades(self, trades: Iterable[TradeReport], now_ns: int) -> int:
        """Book lines of the trade history; return how many fills were not known before."""
        news = 0
        for trade in trades:
            uncharged = self.ledger.uncharged
            is_new = self.ledger.book_trade(trade)
            if trade.instrument_name not in self.desks or trade.is_correction:
                continue
            has_fee_news = is_new or self.ledger.uncharged < uncharged
            order = self.manager.apply_trade(trade)
            if is_new:
                news += 1
                desk = self._move_position(trade.instrument_name)
                self.journal.fill(
                    trade.key, order, trade.instrument_name, trade.side, trade.price, trade.size, trade.time_ns
                )
                self._publish_fill(
                    desk, order, trade.side, trade.price, trade.size, trade.leg_index, trade.liquidity_side,
                    trade.time_ns, trade.venue_order_id, trade.trade_id, now_ns,
                )  # fmt: skip
                self._touch(trade.instrument_name, now_ns)
            if has_fee_news:
                self.journal.charge(trade)
        self._tell_contradictions()
        return news

    def take_changes(self, changes: Iterable[Change], now_ns: int) -> None:
        """Tell what happened to our orders; a fill only when it was not booked before."""
        for change in changes:
            desk = self.desk_of(change.order)
            if change.kind is OrderEventKind.FILLED:
                self._take_fill(change, desk, now_ns)
            else:
                self._publish(desk, change, now_ns)
            desk.is_dirty = True

    def take_denial(self, desk: Desk, side: Side, price_ticks: int, size_lots: int, now_ns: int) -> None:
        """Tell that our own gate refused an order."""
        wish_id = desk.wish.wish_id if desk.wish is not None else 0
        self._write(
            (
                OrderEventKind.DENIED, desk.row, 0, side, price_ticks, size_lots, 0, desk.position_lots, 0, 0, 0, 0,
                now_ns, self._clock.realtime_ns(), wish_id,
            ), "", "",
        )  # fmt: skip

    def set_known(self, is_known: bool, now_ns: int) -> None:
        """Say whether position and orders are the venue's; strategy and gate depend on it."""
        self.is_known = is_known
        for desk in self.desks.values():
            desk.is_dirty = True
            self.publish_account(desk, now_ns)
            self._bells[desk.row].ring()

    def publish_account(self, desk: Desk, now_ns: int) -> None:
        desk.publish_account(self._accounts, self.manager.live(desk.row), self.is_known, now_ns)

    def publish_accounts(self, now_ns: int) -> None:
        for desk in self.desks.values():
            self.publish_account(desk, now_ns)

    def restart_ledger(self, ledger: Ledger, *, instead: bool = False) -> None:
        """Count from a new start, in a recovery: nothing of ours is open. At any reconnect the session may begin anew.

        Args:
            instead: what is counted is the same: what was told of it is not told again.
        """
        self.journal.state.own()
        if instead:
            self._given_up = self.ledger
        self.ledger = ledger
        for name in self.desks:
            self._move_position(name)

    # ---- inside ----------------------------------------------------------------------------------------

    def _tell_contradictions(self) -> None:
        for text in self.ledger.take_contradictions():
            self._measures.counts.add("trades_contradicted")
            self._log.error(
                "the venue contradicts its own trade: not booked. If the position differs quotes are held back: end "
                "the session and begin another, which starts from the venue's position", reason=text,
            )  # fmt: skip

    def _order_of(self, report: OrderReport) -> Order | None:
        if report.client_order_id is None:
            return self.manager.get_by_venue(report.venue_order_id)
        return self.manager.get(report.client_order_id)

    def _count_duplicates(self, report: OrderReport) -> None:
        """Count fills that the venue tells again (in an answer, a snapshot, or after the history)."""
        if known := sum(self.ledger.is_counted(fill.key) for fill in report.fills):
            self._measures.counts.add("duplicate_fills", known)

    def _take_stray_fills(self, report: OrderReport, now_ns: int) -> None:
        """Book fills of an order that is not in the book: the position does not ask whose book it is in."""
        desk = self.desks.get(report.instrument_name)
        if desk is None:
            return
        for fill in report.fills:
            if self.ledger.book_fill(fill, report.instrument_name, report.side):
                self._move_position(report.instrument_name)
                self.journal.fill(fill.key, None, desk.name, report.side, fill.price, fill.size, fill.time_ns)
                self._publish_fill(
                    desk, None, report.side, fill.price, fill.size, fill.leg_index, fill.liquidity_side,
                    fill.time_ns, fill.venue_order_id, fill.trade_id, now_ns,
                )  # fmt: skip
                self._touch(report.instrument_name, now_ns)

    def _take_fill(self, change: Change, desk: Desk, now_ns: int) -> None:
        fill, order = change.fill, change.order
        assert fill is not None, f"{order} was filled by nothing"
        if not self.ledger.book_fill(fill, desk.name, order.side):
            return
        self._move_position(desk.name)
        self.journal.fill(fill.key, order, desk.name, order.side, fill.price, fill.size, fill.time_ns)
        self._publish_fill(
            desk, order, order.side, fill.price, fill.size, fill.leg_index, fill.liquidity_side, fill.time_ns,
            fill.venue_order_id, fill.trade_id, now_ns,
        )  # fmt: skip

    def _move_position(self, name: str) -> Desk:
        desk, line = self.desks[name], self.ledger.lines[name]
        desk.position_lots = desk.instrument.covering_lots(line.position)
        desk.fill_count = line.fill_count
        return desk

    def _is_awaited(self, report: OrderReport) -> bool:
        """Return whether more answers of the instrument are on their way: the last of them rings strategy."""
        return any(order.is_in_flight for order in self.manager.live(self.desks[report.instrument_name].row))

    def _touch(self, instrument_name: str, now_ns: int, *, is_awaited: bool = False) -> None:
        """Show what changed; strategy is told at once, unless the answer that `is_awaited` will tell it."""
        desk = self.desks[instrument_name]
        desk.is_dirty = True
        self.publish_account(desk, now_ns)
        if not is_awaited:
            self._bells[desk.row].ring()

    def _publish(self, desk: Desk, change: Change, now_ns: int) -> None:
        order = change.order
        self.journal.answer(change.kind, order, change.venue_code, change.exchange_time_ns)
        values = (
            change.kind, desk.row, order.client_order_id, order.side, order.price_ticks, order.size_lots,
            order.remaining_lots, desk.position_lots, 0, 0, change.venue_code, change.exchange_time_ns, now_ns,
            self._clock.realtime_ns(), order.wish_id,
        )  # fmt: skip
        self._write(values, order.venue_order_id, "", change.reason)

    def _publish_fill(
        self,
        desk: Desk,
        order: Order | None,
        side: Side,
        price: Decimal,
        size: Decimal,
        leg_index: int,
        liquidity_side: LiquiditySide,
        exchange_time_ns: int,
        venue_order_id: str,
        trade_id: str,
        now_ns: int,
    ) -> None:
        key = (trade_id, venue_order_id, leg_index)
        if self._told.contains(key, exchange_time_ns) or (self._given_up and self._given_up.is_counted(key)):
            return
        client_order_id, remaining_lots, wish_id = 0, 0, 0
        if order is not None:
            client_order_id, remaining_lots, wish_id = order.client_order_id, order.remaining_lots, order.wish_id
        values = (
            OrderEventKind.FILLED, desk.row, client_order_id, side, desk.instrument.nearest_price_ticks(price),
            desk.instrument.covering_lots(size), remaining_lots, desk.position_lots, leg_index, liquidity_side, 0,
            exchange_time_ns, now_ns, self._clock.realtime_ns(), wish_id,
        )  # fmt: skip
        self._write(values, venue_order_id, trade_id)

    def _write(self, values: tuple[int, ...], venue_order_id: str, trade_id: str, reason: str = "") -> None:
        writer = self._events
        ints = writer.ints
        for i, value in enumerate(values):
            ints[_KIND + i] = value
        writer.scratch["venue_order_id"][0] = venue_order_id.encode()[:TEXT_BYTES]
        writer.scratch["trade_id"][0] = trade_id.encode()[:TEXT_BYTES]
        writer.scratch["reason"][0] = reason.encode()[:TEXT_BYTES]
        writer.publish()
        self._measures.counts.add(_COUNTERS[OrderEventKind(values[0])])
