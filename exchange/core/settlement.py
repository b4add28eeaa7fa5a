"""08:00 UTC: the daily settlement of all positions, and the expiry of what is due.

Expiry is at the average of the index over the half hour before (the print); where nothing was seen of it,
because the clock was moved, at the index of the moment. An expiring position is closed by a trade of type
`expiration` at the settlement price: the print for a future, the intrinsic value at the print for an option.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from exchange.core.accounts import ZERO, Account, DailyMark, Trade, Transaction
from exchange.core.events import AccountTrade, InstrumentRemoved, Settled
from exchange.core.instrument import EXPIRY_HOUR_UTC, Instrument, InstrumentType
from exchange.core.marks import PRICE_STEP
from exchange.core.orders import DeleteReason, Order, OrderType, Side, TimeInForce
from exchange.core.scheduler import NS_PER_S

if TYPE_CHECKING:
    from exchange.core.engine import Engine
    from exchange.core.market import Market

SECONDS_PER_DAY = 86_400
PRINT_S = 1_800
MONEY_STEP = Decimal("0.00000001")


class Expired(NamedTuple):
    """An instrument that is no more, and what it was settled at."""

    instrument: Instrument
    settlement_price: Decimal
    index_price: Decimal


@dataclass(slots=True)
class Print:
    """The index of one underlying during the half hour before 08:00 UTC."""

    total: Decimal = ZERO
    samples: int = 0

    @property
    def average(self) -> Decimal | None:
        return (self.total / self.samples).quantize(PRICE_STEP) if self.samples else None


class SettlementDesk:
    """Watches the calendar. `next_s` is the next 08:00 UTC in seconds since the epoch."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.next_s = next_settlement_s(engine.scheduler.realtime_ns())
        self.prints: dict[str, Print] = {}
        self.expired: dict[str, Expired] = {}

    def on_second(self, now_ns: int) -> None:
        """Take the second's index into the print, and settle when it is time."""
        now_s = now_ns / NS_PER_S
        if self.next_s - PRINT_S <= now_s < self.next_s:
            for underlying, price in self._engine.index_prices.items():
                sample = self.prints.setdefault(underlying, Print())
                sample.total += price
                sample.samples += 1
        if now_s >= self.next_s:
            self.settle(now_ns)

    def progress(self, now_ns: int) -> float | None:
        """Return how much of the print has passed, 0 to 1, or None outside of it."""
        left_s = self.next_s - now_ns / NS_PER_S
        return 1 - left_s / PRINT_S if 0 < left_s <= PRINT_S else None

    def settle(self, now_ns: int) -> None:
        """Expire what is due, realise all positions at the mark and pay them out in cash."""
        engine, time_s = self._engine, self.next_s
        self.next_s = next_settlement_s(now_ns)
        index = {name: self._print(name) or price for name, price in engine.index_prices.items()}
        due = [m for m in engine.markets.values() if _is_due(m.instrument, max(time_s, now_ns // NS_PER_S))]
        for market in due:
            self._expire(market, index[market.instrument.underlying], now_ns)
        for account in engine.accounts.values():
            self._settle_account(account, now_ns)
        for market in engine.markets.values():
            market.mark.settle()
        engine.previous_settlement_prices.update(index)
        self.prints.clear()
        engine.note(Settled())
        engine.commit()
        for market in due:
            self._remove(market)
        if engine.listing is not None:
            engine.listing.refresh()
        engine.commit()

    def _print(self, underlying: str) -> Decimal | None:
        sample = self.prints.get(underlying)
        return sample.average if sample else None

    def _settle_account(self, account: Account, now_ns: int) -> None:
        for name, position in account.positions.items():
            mark = self._engine.markets[name].mark
            is_perpetual = position.instrument.type is InstrumentType.PERPETUAL
            unrealised = position.unrealised_pnl(mark.mark_price)
            funding_left = position.unrealised_funding(mark.funding_mark)
            if position.lots:  # what trades have realised they have told themselves
                told = funding_left if is_perpetual else None
                number = len(account.daily_marks) + 1
                account.daily_marks.append(
                    DailyMark(number, now_ns, position.instrument, mark.mark_price, position.amount, unrealised, told)
                )
            pnl, funding = position.realised_position + unrealised, position.realised_funding + funding_left
            fees = position.fees
            cash = position.settle(mark.mark_price, mark.funding_mark)
            assert cash == pnl + funding - fees, f"{cash} settled of {pnl} + {funding} - {fees}"
            self._pay(account, position.instrument, "session settlement", cash - funding, now_ns)
            self._pay(account, position.instrument, "perpetual funding", funding, now_ns)

    def _pay(self, account: Account, instrument: Instrument, kind: str, amount: Decimal, now_ns: int) -> None:
        if not amount:
            return
        account.cash += amount
        number = len(account.transactions) + 1
        account.transactions.append(Transaction(number, now_ns, instrument, kind, amount, account.cash))

    # -- expiry --------------------------------------------------------------------------------

    def _expire(self, market: Market, index_price: Decimal, now_ns: int) -> None:
        engine, instrument = self._engine, market.instrument
        engine.conditionals.drop_instrument(instrument.name)
        engine.rfqs.drop_instrument(instrument.name)
        engine.bots.drop_instrument(instrument.name)
        engine.cancel_orders(list(market.account_orders.values()), DeleteReason.INSTRUMENT_DEACTIVATED)
        price = settlement_price(instrument, index_price)
        self.expired[instrument.name] = Expired(instrument, price, index_price)
        for account in engine.accounts.values():
            if account.position_lots(instrument):
                engine.note(AccountTrade(account, self._close(account, market, price, index_price, now_ns)))

    def _close(self, account: Account, market: Market, price: Decimal, index_price: Decimal, now_ns: int) -> Trade:
        position = account.positions[market.instrument.name]
        side, lots = (Side.SELL if position.lots > 0 else Side.BUY), abs(position.lots)
        rate = engine_fee = self._engine.fees.expiry_rate
        engine_fee = index_price * rate * market.instrument.grid.amount(lots)
        realised = position.apply(side, price, lots, market.mark.funding_mark, engine_fee)
        account.trades_total += 1
        order_id, trade_id = self._engine.ids.order_id(), self._engine.ids.trade_id()
        immediate, kind = TimeInForce.IMMEDIATE_OR_CANCEL, OrderType.MARKET
        order = Order(order_id, market.instrument, account, side, kind, immediate, 0, lots, now_ns, filled_lots=lots)
        trade = Trade(
            sequence=account.trades_total,
            trade_id=trade_id,
            order=order,
            instrument=market.instrument,
            side=side,
            price=price,
            lots=lots,
            time_ns=now_ns,
            is_maker=False,
            fee=engine_fee,
            fee_rate=rate,
            index_price=index_price,
            funding_mark=ZERO,
            position_after=ZERO,
            session_realised_after=position.realised,
            realised=realised,
            trade_type="expiration",
        )
        account.trades.append(trade)
        return trade

    def _remove(self, market: Market) -> None:
        del self._engine.markets[market.instrument.name]
        for account in self._engine.accounts.values():
            account.positions.pop(market.instrument.name, None)
        self._engine.note(InstrumentRemoved(market.instrument))


def settlement_price(instrument: Instrument, index_price: Decimal) -> Decimal:
    """Return what an instrument is worth at its expiry."""
    if instrument.type is InstrumentType.COMBINATION:
        return ZERO
    if instrument.type is not InstrumentType.OPTION:
        return index_price
    assert instrument.strike_price is not None
    return max(ZERO, (index_price - instrument.strike_price) * (1 if instrument.is_call else -1))


def next_settlement_s(now_ns: int) -> int:
    now = datetime.datetime.fromtimestamp(now_ns / NS_PER_S, datetime.UTC)
    today = now.replace(hour=EXPIRY_HOUR_UTC, minute=0, second=0, microsecond=0)
    return int(today.timestamp()) + (0 if now < today else SECONDS_PER_DAY)


def _is_due(instrument: Instrument, now_s: float) -> bool:
    return instrument.expiry_time is not None and instrument.expiry_time <= now_s
