"""Conditions on all holdings together: notional gross and net, value at risk and beyond it, margin in use."""

from __future__ import annotations

import math

from trading.risk.account_view import AccountView
from trading.risk.config import RiskConfig
from trading.risk.portfolio import PortfolioRisk, combined_deviation, portfolio_risk
from trading.risk.states import Cause, Tell


def tell_of_exposure(tell: Tell, account: AccountView, config: RiskConfig) -> None:
    """Bring the causes of exposure up to date."""
    gross, net, unvalued = account.gross_notional, account.net_notional, account.unvalued
    tell(
        Cause.NOTIONAL_LIMIT,
        gross > config.gross_notional_max_usd or bool(unvalued),
        f"gross notional {gross:.2f}{f' and {unvalued}, not ours' if unvalued else ''}, limit "
        f"{config.gross_notional_max_usd:.2f} USD",
    )
    tell(
        Cause.NET_NOTIONAL,
        abs(net) > config.net_notional_max_usd,
        f"net notional {net:.2f}, limit {config.net_notional_max_usd:.2f} USD either way",
    )
    margin, rate = account.margin, account.margin_rate(config.margin_rate)
    use = margin.use(rate)
    tell(
        Cause.MARGIN_USE,
        use > config.margin_use_max,
        f"required margin {margin.required_beside_ours(rate):.2f}, our orders aside, is {100 * use:.3g}% of "
        f"{margin.margin:.2f}, limit {100 * config.margin_use_max:.3g}%",
    )
    _tell_of_portfolio_risk(tell, account, config)


def _tell_of_portfolio_risk(tell: Tell, account: AccountView, config: RiskConfig) -> None:
    risk = risk_of(account, config)
    for cause, what, value, limit in (
        (Cause.VALUE_AT_RISK, "value at risk", risk.value_at_risk, config.value_at_risk_max_usd),
        (Cause.EXPECTED_SHORTFALL, "expected shortfall", risk.expected_shortfall, config.expected_shortfall_max_usd),
    ):
        tell(
            cause,
            # NaN: what cannot be judged may not grow. Whether positions are known is a cause of its own.
            bool(limit) and account.are_positions_known and not value <= limit,
            f"{what} {value:.2f} ({config.value_at_risk_confidence:.1%}, {config.value_at_risk_horizon_s:g} s), "
            f"limit {limit:.2f} USD",
        )


def risk_of(account: AccountView, config: RiskConfig) -> PortfolioRisk:
    """Return the risk of everything held together; NaN while how much something moves is unknown."""
    notionals = account.notionals
    names = list(notionals)
    deviation = combined_deviation(
        [notionals[name] for name in names],
        [account.sigma_fraction(name) for name in names],
        [[_correlation(account, notionals, name, other) for other in names] for name in names],
    )
    return portfolio_risk(deviation, config.value_at_risk_horizon_s, config.value_at_risk_confidence)


def _correlation(account: AccountView, notionals: dict[str, float], name: str, other: str) -> float:
    """Return the correlation of two holdings; until it is measured legs of one underlying move as one, and others
    so that their risks add up."""
    measured = account.correlation(name, other)
    if measured is not None:
        return measured
    if account.underlying(name) == account.underlying(other):
        return 1.0
    return math.copysign(1.0, notionals[name] * notionals[other])
