"""Transfers of cash and positions between accounts of this venue, checked as one transaction."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from exchange.core.accounts import ZERO, Account, Transaction
from exchange.core.events import AccountTrade
from exchange.core.instrument import Instrument
from exchange.core.orders import Fill, Order, OrderRejected, OrderType, Reject, Side, TimeInForce

if TYPE_CHECKING:
    from exchange.core.engine import Engine

ASSET = "USDT"


class Transfer(NamedTuple):
    """What leaves the source for the destination; negative amounts go the other way."""

    source: Account
    destination: Account
    cash: Decimal
    lots: dict[str, int]


class MarginAfter(NamedTuple):
    available: Decimal
    required: Decimal


class TransferDesk:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def plan(
        self,
        source: Account,
        destination: Account | None,
        assets: list[tuple[str, Decimal | None]],
        positions: list[tuple[str, Decimal | None]],
    ) -> Transfer:
        """Return a transfer whose names and amounts make sense.

        Raises:
            OrderRejected: for an unknown account, asset or instrument, or an amount that can't be held.
        """
        if destination is None or destination is source:
            raise OrderRejected(Reject.INVALID_REQUEST, "destination_account_number: no other account of that number")
        cash = ZERO
        lots: dict[str, int] = {}
        for name, amount in assets:
            if name != ASSET:
                raise OrderRejected(Reject.UNKNOWN_ASSET, f"{name[:40]!r}, there is {ASSET}")
            cash += self._number(amount)
        for name, amount in positions:
            market = self._engine.market(name)
            steps = market.instrument.grid.lots(self._number(amount))
            if not steps:
                raise OrderRejected(Reject.INVALID_AMOUNT, f"{amount} of {name}")
            lots[name] = lots.get(name, 0) + steps
        if not cash and not lots:
            raise OrderRejected(Reject.INVALID_REQUEST, "nothing to transfer")
        return Transfer(source, destination, cash, lots)

    def margins(self, transfer: Transfer) -> tuple[MarginAfter, MarginAfter]:
        """Return what source and destination would have and need afterwards."""
        return self._after(transfer.source, transfer, -1), self._after(transfer.destination, transfer, 1)

    def check(self, transfer: Transfer) -> None:
        """Raise OrderRejected when an account would not have the cash or the margin, unless it is better off."""
        for account, sign in ((transfer.source, -1), (transfer.destination, 1)):
            if transfer.cash * sign < 0 and account.cash < abs(transfer.cash):
                detail = f"asset '{ASSET}': insufficient funds for operation"
                raise OrderRejected(Reject.INSUFFICIENT_FUNDS, detail)
            after = self._after(account, transfer, sign)
            before = self._engine.equity(account) - self._engine.margin.required(account)
            if after.available < after.required and after.available - after.required < before:
                raise OrderRejected(Reject.INSUFFICIENT_MARGIN, f"account {account.number}")

    def carry_out(self, transfer: Transfer, label: str | None) -> None:
        """Move cash and positions; positions change hands at the mark.

        Raises:
            OrderRejected: as `check` does.
        """
        self.check(transfer)
        for account, sign in ((transfer.source, -1), (transfer.destination, 1)):
            if transfer.cash:
                self._move_cash(account, sign * transfer.cash)
        for name, lots in transfer.lots.items():
            trade_id = self._engine.ids.trade_id()
            for account, sign in ((transfer.source, -1), (transfer.destination, 1)):
                self._engine.note(self._move_position(account, name, sign * lots, trade_id, label))

    def _after(self, account: Account, transfer: Transfer, sign: int) -> MarginAfter:
        lots = {name: sign * each for name, each in transfer.lots.items()}
        required = self._engine.margin.required_after(account, lots)
        return MarginAfter(self._engine.equity(account) + sign * transfer.cash, required)

    def _move_cash(self, account: Account, amount: Decimal) -> None:
        account.cash += amount
        now_ns, number = self._engine.scheduler.realtime_ns(), len(account.transactions) + 1
        account.transactions.append(Transaction(number, now_ns, None, "internal transfer", amount, account.cash))

    def _move_position(self, account: Account, name: str, lots: int, trade_id: str, label: str | None) -> AccountTrade:
        market, side = self._engine.markets[name], Side.BUY if lots > 0 else Side.SELL
        order = _order(self._engine.ids.order_id(), market.instrument, account, side, abs(lots))
        order.label = label
        now_ns = self._engine.scheduler.realtime_ns()
        fill = Fill(trade_id, 0, abs(lots), now_ns, is_maker=False)
        return self._engine.booker.book_transfer(order, fill, market.mark)

    @staticmethod
    def _number(amount: Decimal | None) -> Decimal:
        if amount is None:
            raise OrderRejected(Reject.INVALID_AMOUNT, "the amount must be a number")
        return amount


def _order(order_id: str, instrument: Instrument, account: Account, side: Side, lots: int) -> Order:
    immediate = TimeInForce.IMMEDIATE_OR_CANCEL
    return Order(order_id, instrument, account, side, OrderType.LIMIT, immediate, 0, lots, 0, filled_lots=lots)
