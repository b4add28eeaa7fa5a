"""Margin by scenarios, simple and configurable: what positions and open orders may lose at once.

For each underlying the spot is moved (and with options the volatility, too); an open order counts when it
would lose in that scenario. The worst loss, plus contingencies for rolls and short options, is required.
The venue's own tables are not public: the 20 % of the widest spot move is a guess that fits its samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from exchange.core.accounts import ZERO, Account
from exchange.core.inbox_notification import DisplayType
from exchange.core.instrument import Instrument, InstrumentType
from exchange.core.orders import (
    SIGN,
    DeleteReason,
    InsertReason,
    NewOrder,
    Order,
    OrderRejected,
    OrderType,
    Reject,
    Side,
)

if TYPE_CHECKING:
    from exchange.core.engine import Engine
    from exchange.core.market import Market

MONEY_STEP = Decimal("0.00000001")
SPOT_STEPS = (-1.0, -0.5, 0.0, 0.5, 1.0)  # of the widest move
VOL_CHANGES = (-0.30, 0.0, 0.45)


@dataclass(frozen=True, slots=True)
class MarginParameters:
    """Ratios of index times amount. `maintenance_ratio` is of the required margin."""

    is_checked: bool = True
    spot_move_ratio: Decimal = Decimal("0.2")
    roll_ratio: Decimal = Decimal("0.04")
    short_option_ratio: Decimal = Decimal("0.0025")
    maintenance_ratio: Decimal = Decimal("0.7")


class Extra(NamedTuple):
    """An order as if it were working already; `lots` may be negative, for what an amend takes away."""

    instrument: Instrument
    side: Side
    lots: int


class Scenario(NamedTuple):
    spot_ratio: float
    vol_change: float
    pnl: Decimal


class UnderlyingMargin(NamedTuple):
    """USD. `scenarios` are all that were tried; the worst made the loss."""

    underlying: str
    loss: Decimal
    roll_cash: Decimal
    roll_contingency: Decimal
    short_option_cash: Decimal
    option_contingency: Decimal
    scenarios: tuple[Scenario, ...]

    @property
    def required(self) -> Decimal:
        return self.loss + self.roll_contingency + self.option_contingency


class _Holding(NamedTuple):
    market: Market
    lots: int
    buy_lots: int
    sell_lots: int


class MarginDesk:
    """Says what an account must hold, refuses what it can't carry, and takes orders back when it fell short."""

    def __init__(self, engine: Engine, parameters: MarginParameters) -> None:
        self._engine = engine
        self.parameters = parameters
        self._breached: set[str] = set()  # accounts that have been told

    # -- what is required ----------------------------------------------------------------------

    def required(self, account: Account, extra: Extra | None = None) -> Decimal:
        """Return the required margin in USD over all underlyings."""
        return sum((margin.required for margin in self.by_underlying(account, extra)), ZERO)

    def by_underlying(
        self, account: Account, extra: Extra | None = None, added_lots: dict[str, int] | None = None
    ) -> list[UnderlyingMargin]:
        held: dict[str, list[_Holding]] = {}
        for holding in self._holdings(account, extra, added_lots):
            held.setdefault(holding.market.instrument.underlying, []).append(holding)
        return [self._margin(underlying, holdings) for underlying, holdings in held.items()]

    def of_underlying(self, account: Account, underlying: str, extra: Extra | None = None) -> UnderlyingMargin:
        holdings = [h for h in self._holdings(account, extra) if h.market.instrument.underlying == underlying]
        return self._margin(underlying, holdings)

    def check(self, account: Account, extra: Extra) -> None:
        """Refuse an order that needs more margin than there is, unless it lowers what is needed.

        Raises:
            OrderRejected: insufficient margin.
        """
        if not self.parameters.is_checked or extra.lots <= 0:
            return
        needed, held = self.required(account, extra), self._engine.equity(account)
        if needed > held and needed > self.required(account):
            raise _insufficient(needed, held)

    def check_move(self, account: Account, lots: dict[str, int]) -> None:
        """Refuse a trade that would add so many signed lots to positions at once, unless it lowers what is needed.

        Raises:
            OrderRejected: insufficient margin.
        """
        if not self.parameters.is_checked:
            return
        needed, held = self.required_after(account, lots), self._engine.equity(account)
        if needed > held and needed > self.required(account):
            raise _insufficient(needed, held)

    def required_after(self, account: Account, lots: dict[str, int]) -> Decimal:
        """Return the required margin if so many signed lots were added to the positions."""
        return sum((margin.required for margin in self.by_underlying(account, added_lots=lots)), ZERO)

    def _holdings(
        self, account: Account, extra: Extra | None, added_lots: dict[str, int] | None = None
    ) -> Iterator[_Holding]:
        added_lots = added_lots or {}
        names: Iterable[str] = {*account.positions, *account.working, *added_lots}
        if extra is not None:
            names = {*names, extra.instrument.name}
        for name in sorted(names):
            market = self._engine.markets.get(name)
            if market is None:
                continue
            position = account.positions.get(name)
            lots = (position.lots if position else 0) + added_lots.get(name, 0)
            buy_lots, sell_lots = account.working.get(name, (0, 0))
            if extra is not None and extra.instrument is market.instrument:
                buy_lots += extra.lots if extra.side is Side.BUY else 0
                sell_lots += extra.lots if extra.side is Side.SELL else 0
            if lots or buy_lots or sell_lots:
                yield _Holding(market, lots, buy_lots, sell_lots)

    def _margin(self, underlying: str, holdings: list[_Holding]) -> UnderlyingMargin:
        p = self.parameters
        index = self._engine.index_prices.get(underlying, ZERO)
        has_options = any(h.market.instrument.type is InstrumentType.OPTION for h in holdings)
        steps, vols = (SPOT_STEPS, VOL_CHANGES) if has_options else ((-1.0, 1.0), (0.0,))
        moves = [(step * float(p.spot_move_ratio), vol) for step in steps for vol in vols]
        scenarios = tuple(Scenario(spot, vol, self._pnl(holdings, index, spot, vol)) for spot, vol in moves)
        loss = max(ZERO, -min(scenario.pnl for scenario in scenarios))
        roll_cash = _roll_amount(holdings) * index
        short_cash = _short_option_amount(holdings) * index
        roll, short = (roll_cash * p.roll_ratio), (short_cash * p.short_option_ratio)
        return UnderlyingMargin(underlying, loss, roll_cash, roll, short_cash, short, scenarios)

    @staticmethod
    def _pnl(holdings: list[_Holding], index: Decimal, spot_ratio: float, vol_change: float) -> Decimal:
        total = ZERO
        for holding in holdings:
            instrument = holding.market.instrument
            if instrument.type is InstrumentType.COMBINATION:
                continue  # both legs move alike
            if instrument.type is InstrumentType.OPTION:
                change = holding.market.mark.scenario_change(spot_ratio, vol_change)
            else:
                change = index * Decimal(str(spot_ratio))
            lots: int = holding.lots
            lots += holding.buy_lots if change < 0 else -holding.sell_lots
            total += change * instrument.grid.amount(lots)
        return total.quantize(MONEY_STEP)

    # -- falling short -------------------------------------------------------------------------

    def on_second(self) -> None:
        """Cancel what increases the risk of accounts that fall short; liquidate below the maintenance margin."""
        if not self.parameters.is_checked:
            return
        for account in self._engine.accounts.values():
            if not account.working and not any(position.lots for position in account.positions.values()):
                continue
            held, needed = self._engine.equity(account), self.required(account)
            if held >= needed:
                self._breached.discard(account.number)
                continue
            self._warn(account)
            increasing = self._increasing(account)
            self._engine.cancel_orders(increasing, DeleteReason.MARGIN_BREACH)
            if held < self.required(account) * self.parameters.maintenance_ratio:
                self._liquidate(account)

    def _increasing(self, account: Account) -> list[Order]:
        """Return working orders that do not only reduce their instrument's position."""
        orders = []
        for order in account.open_orders.values():
            lots = account.position_lots(order.instrument) * SIGN[order.side]
            if lots >= 0 or order.remaining_lots > -lots:
                orders.append(order)
        return orders

    def _warn(self, account: Account) -> None:
        if account.number not in self._breached:
            self._breached.add(account.number)
            text = f"Portfolio of account {account.number} breached initial margin requirements."
            self._engine.inbox.post(account, "risk", "Margin Requirements", text, DisplayType.WARNING)

    def _liquidate(self, account: Account) -> None:
        self._engine.cancel_orders(list(account.open_orders.values()), DeleteReason.MARGIN_BREACH)
        for name, position in list(account.positions.items()):
            if not position.lots:
                continue
            order = NewOrder(
                account=account,
                session_id="",
                side=Side.SELL if position.lots > 0 else Side.BUY,
                amount=abs(position.amount),
                order_type=OrderType.MARKET,
                reduce_only=True,
                insert_reason=InsertReason.LIQUIDATION,
            )
            self._engine.market(name).insert(order)


def _roll_amount(holdings: list[_Holding]) -> Decimal:
    """Return the amount of delta-one positions that offset each other over expiries, open rolls included."""
    long = short = rolls = ZERO
    for holding in holdings:
        instrument = holding.market.instrument
        if instrument.type is InstrumentType.COMBINATION:
            rolls += instrument.grid.amount(max(holding.buy_lots, holding.sell_lots))
        elif instrument.type is not InstrumentType.OPTION:
            amount = instrument.grid.amount(holding.lots)
            long, short = long + max(amount, ZERO), short + max(-amount, ZERO)
    return min(long, short) + rolls


def _short_option_amount(holdings: list[_Holding]) -> Decimal:
    options = [h for h in holdings if h.market.instrument.type is InstrumentType.OPTION]
    return sum((h.market.instrument.grid.amount(max(0, h.sell_lots - h.lots)) for h in options), ZERO)


def _insufficient(needed: Decimal, held: Decimal) -> OrderRejected:
    detail = f"{needed.quantize(Decimal('0.01'))} USD required, {held.quantize(Decimal('0.01'))} USD there"
    return OrderRejected(Reject.INSUFFICIENT_MARGIN, detail)
