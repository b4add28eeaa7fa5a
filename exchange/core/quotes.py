"""Mass quotes and their protection: a session's quotes by instrument and side, and how much of them may trade.

A quote is an order of its own; what makes it a quote is that the next mass quote replaces it, that no collar
and no limit of open orders applies, and that it is cancelled when the protection of its product is used up.
A protection group belongs to one session and one product. It must be set before anything is quoted, and
again once it is used up or has been deleted.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from exchange.core.accounts import Account
from exchange.core.events import AccountTrade, Event, ProtectionChanged
from exchange.core.order_checks import check_amount, check_price
from exchange.core.orders import (
    Collar,
    DeleteReason,
    NewOrder,
    Order,
    OrderRejected,
    Reject,
    Side,
    StpAction,
    StpLevel,
)

if TYPE_CHECKING:
    from exchange.core.engine import Engine
    from exchange.core.market import Market

LEVELS_PER_SIDE_MAX = 10


class ProtectionReason(enum.Enum):
    REFILL = "refill"
    EXECUTIONS = "executions"
    CLIENT_CANCEL = "client_cancel"
    SESSION_END = "session_end"


@dataclass(slots=True)
class Protection:
    """What one session may still trade on its quotes of one product, in contracts; below 0 = overshot."""

    account: Account
    session_id: str
    product: str
    quote_amount: Decimal
    remaining: Decimal


class QuoteTerms(NamedTuple):
    """What all quotes of one request share."""

    account: Account
    session_id: str
    label: str | None = None
    post_only: bool = False
    reject_post_only: bool = False
    stp_level: StpLevel = StpLevel.CUSTOMER
    stp_action: StpAction = StpAction.CANCEL_AGGRESSIVE_PARTIAL_FILL


class QuoteLevel(NamedTuple):
    price: Decimal | None
    amount: Decimal | None


class QuoteSide(NamedTuple):
    """The whole of one side: no level clears it."""

    instrument_name: str
    side: Side
    levels: tuple[QuoteLevel, ...]


class QuoteError(NamedTuple):
    rejected: OrderRejected
    side: Side
    price: Decimal | None


class QuoteResult(NamedTuple):
    """`succeeded` and `failed` count levels; a side that is cleared counts as one."""

    succeeded: int
    failed: int
    errors: list[QuoteError]


class _Plan(NamedTuple):
    market: Market
    side: Side
    pulled: list[Order]
    kept: int
    placed: list[QuoteLevel]


class QuoteDesk:
    """Every session's quotes and protection groups."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._groups: dict[tuple[str, str], Protection] = {}
        self._quotes: dict[tuple[str, str, Side], list[Order]] = {}

    # -- protection ----------------------------------------------------------------------------

    def protect(
        self, account: Account, session_id: str, product: str, trade_amount: Decimal, quote_amount: Decimal
    ) -> None:
        """Set a group anew; what was left of it before does not count.

        Raises:
            OrderRejected: for an unknown product or amounts that make no sense.
        """
        products = {market.instrument.product for market in self._engine.markets.values()}
        if product not in products:
            raise OrderRejected(Reject.UNKNOWN_PRODUCT, f"{product!r}, there are {', '.join(sorted(products))}")
        if not 0 < trade_amount <= quote_amount:
            detail = f"trade_amount {trade_amount.normalize():f}, expected above 0 and at most quote_amount"
            raise OrderRejected(Reject.INVALID_AMOUNT, f"{detail} {quote_amount.normalize():f}")
        group = Protection(account, session_id, product, quote_amount, trade_amount)
        self._groups[session_id, product] = group
        self._tell(group, ProtectionReason.REFILL)

    def cancel(self, account: Account, product: str | None) -> None:
        """Cancel the account's quotes over all sessions, of one product or all, and delete the groups."""
        quotes = [order for order in account.open_orders.values() if order.is_quote]
        of_product = [order for order in quotes if product in (None, order.instrument.product)]
        self._engine.cancel_orders(of_product, DeleteReason.CLIENT_BULK_CANCEL)
        groups = [group for group in self._groups.values() if group.account is account]
        self._delete([g for g in groups if product in (None, g.product)], ProtectionReason.CLIENT_CANCEL)

    def end_session(self, session_id: str) -> None:
        """Delete the groups of a session whose orders have been cancelled."""
        self._delete([g for g in self._groups.values() if g.session_id == session_id], ProtectionReason.SESSION_END)
        self._quotes = {key: orders for key, orders in self._quotes.items() if key[0] != session_id}

    def on_events(self, events: list[Event]) -> None:
        """Count what has traded on quotes; cancel the rest of a group that is used up."""
        hit: dict[int, Protection] = {}
        for event in events:
            if isinstance(event, AccountTrade) and event.trade.order.is_quote and not event.trade.leg_index:
                order = event.trade.order
                group = self._groups.get((order.session_id, order.instrument.product))
                if group is not None:
                    group.remaining -= order.instrument.grid.amount(event.trade.lots)
                    hit[id(group)] = group
        for group in hit.values():
            self._tell(group, ProtectionReason.EXECUTIONS)
            if group.remaining <= 0:
                self._engine.cancel_orders(self._of_group(group), DeleteReason.MM_PROTECTION)

    # -- quoting -------------------------------------------------------------------------------

    def quote(self, terms: QuoteTerms, sides: list[QuoteSide]) -> QuoteResult:
        """Bring the session's quotes to `sides`; of two for the same instrument and side the later wins.

        All quotes to be replaced leave the book before any new one enters, so that a quoter that moves both
        sides does not meet its own old quote. A side with a level that can't be accepted stays as it was.
        """
        latest = {(wanted.instrument_name, wanted.side): wanted for wanted in sides}
        plans: list[_Plan] = []
        errors: list[QuoteError] = []
        succeeded = failed = 0
        for wanted in latest.values():
            try:
                plans.append(self._plan(terms, wanted))
            except _LevelRejected as error:
                errors.append(QuoteError(error.rejected, wanted.side, error.price))
                failed += max(1, len(wanted.levels))
        for plan in plans:
            self._engine.cancel_orders(plan.pulled, DeleteReason.REPLACED)
        for plan in plans:
            refused = self._place(terms, plan)
            errors += refused
            failed += len(refused)
            succeeded += max(1, plan.kept + len(plan.placed)) - len(refused)
        return QuoteResult(succeeded, failed, errors)

    def _plan(self, terms: QuoteTerms, wanted: QuoteSide) -> _Plan:
        levels = [level for level in wanted.levels if level.amount != 0]
        market = self._checked_market(terms, wanted, levels)
        instrument = market.instrument
        target: dict[tuple[int, int], QuoteLevel] = {}
        prices: set[int] = set()
        for level in levels:
            try:
                price_ticks = check_price(instrument, level.price)
                lots = check_amount(instrument, level.amount, minimum_lots=instrument.order_size_lots_min)
            except OrderRejected as rejected:
                raise _LevelRejected(rejected, level.price) from None
            if price_ticks in prices:
                raise _LevelRejected(OrderRejected(Reject.INVALID_REQUEST, "two levels at one price"), level.price)
            prices.add(price_ticks)
            target[price_ticks, lots] = level
        pulled: list[Order] = []
        kept = 0
        for order in self._live(terms.session_id, instrument.name, wanted.side):
            if target.pop((order.price_ticks, order.remaining_lots), None) is None:
                pulled.append(order)
            else:
                kept += 1
        return _Plan(market, wanted.side, pulled, kept, list(target.values()))

    def _checked_market(self, terms: QuoteTerms, wanted: QuoteSide, levels: list[QuoteLevel]) -> Market:
        try:
            market = self._engine.market(wanted.instrument_name)
        except OrderRejected as rejected:
            raise _LevelRejected(rejected, None) from None
        if len(levels) > LEVELS_PER_SIDE_MAX:
            detail = f"{len(levels)} levels, at most {LEVELS_PER_SIDE_MAX}"
            raise _LevelRejected(OrderRejected(Reject.INVALID_REQUEST, detail), None)
        if not levels:
            return market
        group = self._groups.get((terms.session_id, market.instrument.product))
        if group is None or group.remaining <= 0:
            raise _LevelRejected(OrderRejected(Reject.PROTECTION_NOT_SET, market.instrument.product), levels[0].price)
        for level in levels:
            if level.amount is not None and level.amount > group.quote_amount:
                detail = f"{level.amount.normalize():f}, at most {group.quote_amount.normalize():f}"
                raise _LevelRejected(OrderRejected(Reject.QUOTE_TOO_LARGE, detail), level.price)
        return market

    def _place(self, terms: QuoteTerms, plan: _Plan) -> list[QuoteError]:
        refused: list[QuoteError] = []
        live = self._quotes.setdefault((terms.session_id, plan.market.instrument.name, plan.side), [])
        live[:] = [order for order in live if order.is_open]
        for level in plan.placed:
            try:
                update = plan.market.insert(_order_of(terms, plan.side, level))
            except OrderRejected as rejected:
                refused.append(QuoteError(rejected, plan.side, level.price))
                continue
            if update.order.is_open:
                live.append(update.order)
        return refused

    # -- keeping -------------------------------------------------------------------------------

    def _live(self, session_id: str, instrument_name: str, side: Side) -> list[Order]:
        return [order for order in self._quotes.get((session_id, instrument_name, side), ()) if order.is_open]

    def _of_group(self, group: Protection) -> list[Order]:
        orders = group.account.open_orders.values()
        mine = [order for order in orders if order.is_quote and order.session_id == group.session_id]
        return [order for order in mine if order.instrument.product == group.product]

    def _delete(self, groups: list[Protection], reason: ProtectionReason) -> None:
        for group in groups:
            del self._groups[group.session_id, group.product]
            group.remaining = Decimal(0)
            self._tell(group, reason)

    def _tell(self, group: Protection, reason: ProtectionReason) -> None:
        event = ProtectionChanged(group.account, group.session_id, group.product, group.remaining, reason.value)
        self._engine.note(event)


class _LevelRejected(Exception):  # noqa: N818 - "rejected" is the project's word for it
    def __init__(self, rejected: OrderRejected, price: Decimal | None) -> None:
        super().__init__(str(rejected))
        self.rejected = rejected
        self.price = price


def _order_of(terms: QuoteTerms, side: Side, level: QuoteLevel) -> NewOrder:
    return NewOrder(
        account=terms.account,
        session_id=terms.session_id,
        side=side,
        amount=level.amount,
        price=level.price,
        label=terms.label,
        post_only=terms.post_only,
        reject_post_only=terms.reject_post_only,
        collar=Collar.IGNORE,
        stp_level=terms.stp_level,
        stp_action=terms.stp_action,
        persistent=False,
        is_quote=True,
    )
