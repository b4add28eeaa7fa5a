"""Every method that this front-end offers, by name."""

from __future__ import annotations

from exchange.gateways.thalex import (
    account_methods,
    admin_methods,
    bot_methods,
    conditional_methods,
    history_methods,
    inbox_methods,
    market_methods,
    quote_methods,
    rfq_methods,
    session_methods,
    trading_methods,
    wallet_methods,
)
from exchange.gateways.thalex.session import Methods

ALL_METHODS: Methods = {
    **session_methods.METHODS,
    **market_methods.METHODS,
    **trading_methods.METHODS,
    **quote_methods.METHODS,
    **rfq_methods.METHODS,
    **conditional_methods.METHODS,
    **bot_methods.METHODS,
    **history_methods.METHODS,
    **account_methods.METHODS,
    **inbox_methods.METHODS,
    **wallet_methods.METHODS,
    **admin_methods.METHODS,
}
