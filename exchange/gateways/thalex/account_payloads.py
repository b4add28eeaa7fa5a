"""The account as the protocol's objects: portfolio, summary, breakdown, margin. Money is exact decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from exchange.core.accounts import ZERO, Account, Position
from exchange.core.derived_marks import OptionMark
from exchange.core.engine import Engine
from exchange.core.instrument import InstrumentType
from exchange.core.margin import Extra, Scenario, UnderlyingMargin
from exchange.core.market import Market
from exchange.core.units import plain


class PortfolioEntry(Struct):
    instrument_name: str
    position: Decimal
    mark_price: Decimal
    iv: float | UnsetType
    index: Decimal
    start_price: Decimal
    average_price: Decimal
    unrealised_pnl: Decimal
    realised_pnl: Decimal
    entry_value: Decimal
    perpetual_funding_entry_value: Decimal | UnsetType
    unrealised_perpetual_funding: Decimal | UnsetType


def portfolio_entry(position: Position, market: Market) -> PortfolioEntry:
    mark = market.mark
    is_perpetual = market.instrument.type is InstrumentType.PERPETUAL
    funding_cost = position.funding_cost
    funding = position.unrealised_funding(mark.funding_mark)
    return PortfolioEntry(
        instrument_name=market.instrument.name,
        position=plain(position.amount),
        mark_price=plain(mark.mark_price),
        iv=round(mark.vol, 6) if isinstance(mark, OptionMark) else UNSET,
        index=plain(mark.index_price),
        start_price=plain(position.start_price),
        average_price=plain(position.average_price),
        unrealised_pnl=plain(position.unrealised_pnl(mark.mark_price)),
        realised_pnl=plain(position.realised),
        entry_value=plain(position.start_cost),
        perpetual_funding_entry_value=plain(funding_cost) if is_perpetual and funding_cost else UNSET,
        unrealised_perpetual_funding=plain(funding) if is_perpetual else UNSET,
    )


def portfolio(engine: Engine, account: Account) -> list[PortfolioEntry]:
    """Return the lines with a position, and closed ones that have realised something in this session."""
    return [
        portfolio_entry(position, engine.markets[name])
        for name, position in account.positions.items()
        if position.lots or position.realised
    ]


def account_summary(engine: Engine, account: Account) -> dict[str, Any]:
    """Return an AccountSummary."""
    unrealised = engine.equity(account) - account.cash - account.session_realised_pnl
    return {"cash": [_cash(account)], **_totals(engine, account, unrealised)}


def account_breakdown(engine: Engine, account: Account) -> dict[str, Any]:
    """Return the summary, and what each position adds to it."""
    unrealised = engine.equity(account) - account.cash - account.session_realised_pnl
    positions = account.positions.values()
    names = account.positions.keys() | account.working.keys()
    markets = [engine.markets[name] for name in sorted(names) if name in engine.markets]
    return {
        "account_number": account.number,
        "portfolio": [_breakdown_line(account, market) for market in markets],
        "cash": [{**_cash(account), "applied_collateral": plain(account.cash)}],
        **_totals(engine, account, unrealised),
        "realised_position_pnl": plain(sum((p.realised_position for p in positions), ZERO)),
        "realised_perpetual_funding": plain(sum((p.realised_funding for p in positions), ZERO)),
        "session_fees": plain(sum((p.fees for p in positions), ZERO)),
    }


def margin_breakdown(engine: Engine, account: Account) -> dict[str, Any]:
    """Return a PortfolioMarginBreakdown."""
    margins = engine.margin.by_underlying(account)
    total = sum((margin.required for margin in margins), ZERO)
    underlyings = [_underlying_breakdown(margin) for margin in margins]
    return {"portfolio": {"required_margin": plain(total), "underlyings": underlyings}}


def margin_with_order(engine: Engine, account: Account, extra: Extra | None, underlying: str) -> dict[str, Any]:
    """Return the margin of the account with an order as if it were working (or as it is)."""
    margin = engine.margin.of_underlying(account, underlying, extra)
    return {"required_margin": plain(engine.margin.required(account, extra)), "underlying": _light_margin(margin)}


def margin_after(engine: Engine, account: Account, added_lots: dict[str, int], underlying: str) -> dict[str, Any]:
    """Return the margin of the account as if so many signed lots had been added to its positions."""
    margins = {margin.underlying: margin for margin in engine.margin.by_underlying(account, added_lots=added_lots)}
    margin = margins.get(underlying) or engine.margin.of_underlying(account, underlying)
    required = engine.margin.required_after(account, added_lots)
    return {"required_margin": plain(required), "underlying": _light_margin(margin)}


def _totals(engine: Engine, account: Account, unrealised: Decimal) -> dict[str, Any]:
    required = engine.margin.required(account)
    margin = account.cash + account.session_realised_pnl + unrealised
    return {
        "unrealised_pnl": plain(unrealised),
        "session_realised_pnl": plain(account.session_realised_pnl),
        "cash_collateral": plain(account.cash),
        "margin": plain(margin),
        "required_margin": plain(required),
        "remaining_margin": plain(margin - required),
    }


def _cash(account: Account) -> dict[str, Any]:
    return {
        "currency": "USDT",
        "balance": plain(account.cash),
        "collateral_factor": 1,
        "collateral_index_price": None,
        "transactable": True,
    }


def _breakdown_line(account: Account, market: Market) -> dict[str, Any]:
    name, mark, amount = market.instrument.name, market.mark, market.instrument.grid.amount
    position = account.positions.get(name) or Position(market.instrument)
    buy_lots, sell_lots = account.working.get(name, (0, 0))
    positional, funding = position.unrealised_pnl(mark.mark_price), position.unrealised_funding(mark.funding_mark)
    line = {
        "instrument_name": name,
        "position": plain(position.amount),
        "mark_price": plain(mark.mark_price),
        "start_price": plain(position.start_price),
        "average_price": plain(position.average_price),
        "unrealised_pnl_positional": plain(positional),
        "unrealised_pnl": plain(positional + funding),
        "realised_position_pnl": plain(position.realised_position),
        "open_buy_amount": plain(amount(buy_lots)),
        "open_sell_amount": plain(amount(sell_lots)),
        "session_realised_pnl": plain(position.realised),
        "realised_perpetual_funding": plain(position.realised_funding),
        "session_fees": plain(position.fees),
    }
    if market.instrument.type is InstrumentType.PERPETUAL:
        line["unrealised_pnl_perpetual"] = plain(funding)
    return line


def _light_margin(margin: UnderlyingMargin) -> dict[str, Any]:
    return {
        "underlying": margin.underlying,
        "required_margin": plain(margin.required),
        "loss_margin": plain(margin.loss),
        "roll_contingency_margin": plain(margin.roll_contingency),
        "d1_roll_contingency_margin": plain(margin.roll_contingency),
        "options_roll_contingency_margin": 0,
        "options_contingency_margin": plain(margin.option_contingency),
    }


def _underlying_breakdown(margin: UnderlyingMargin) -> dict[str, Any]:
    worst = min(range(len(margin.scenarios)), key=lambda index: margin.scenarios[index].pnl)
    return {
        **_light_margin(margin),
        "scenario_margin": plain(margin.loss),
        "d1_roll_cash_position": plain(margin.roll_cash),
        "options_roll_cash_position": 0,
        "roll_cash_position": plain(margin.roll_cash),
        "options_short_cash_position": plain(margin.short_option_cash),
        "scenario_used": worst,
        "scenarios": [_scenario(margin, s, index == worst) for index, s in enumerate(margin.scenarios)],
    }


def _scenario(margin: UnderlyingMargin, scenario: Scenario, is_used: bool) -> dict[str, Any]:
    loss = max(ZERO, -scenario.pnl)
    return {
        "underlying_change_pct": round(100 * scenario.spot_ratio, 9),
        "vol_change_pct_point": round(100 * scenario.vol_change, 9),
        "pnl": plain(scenario.pnl),
        "coverage_factor": 1,
        "loss_margin": plain(loss),
        "required_margin": plain(loss + margin.roll_contingency + margin.option_contingency),
        "highlight": is_used,
    }
