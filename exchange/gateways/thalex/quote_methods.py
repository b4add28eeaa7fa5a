"""Mass quotes and market-maker protection by request."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from exchange.core.orders import OrderRejected, Reject, Side, StpAction, StpLevel
from exchange.core.quotes import QuoteError, QuoteLevel, QuoteSide, QuoteTerms
from exchange.core.units import plain, wire_decimal
from exchange.gateways.thalex import wire
from exchange.gateways.thalex.errors import CODE_OF_REJECT, ErrorCode, RequestError
from exchange.gateways.thalex.session import Method, Methods, Session
from exchange.gateways.thalex.trading_methods import check_label

QUOTES_MAX = 100

Number = int | float


class OneLevel(Struct):
    """A side of one level; an amount of 0 deletes it, then the price does not matter."""

    a: Number
    p: Number = 0


Sided = OneLevel | list[tuple[Number, Number]] | None


class DoubleSidedQuote(Struct):
    i: str
    b: Sided = None
    a: Sided = None


class MassQuoteParams(Struct):
    quotes: Annotated[list[DoubleSidedQuote], Meta(max_length=QUOTES_MAX)]
    label: str | None = None
    post_only: bool = False
    reject_post_only: bool = False
    stp_level: StpLevel = StpLevel.CUSTOMER
    stp_action: StpAction = StpAction.CANCEL_AGGRESSIVE_PARTIAL_FILL


class ProtectionParams(Struct):
    """`amount` is the deprecated way to set both others at once."""

    product: str
    trade_amount: Number | None = None
    quote_amount: Number | None = None
    amount: Number | None = None


class CancelParams(Struct):
    product: str | None = None


def mass_quote(session: Session, params: MassQuoteParams) -> bytes:
    _check_quoter(session)
    assert session.account is not None
    check_label(params.label)
    terms = QuoteTerms(
        session.account,
        session.session_id,
        params.label,
        params.post_only,
        params.reject_post_only,
        params.stp_level,
        params.stp_action,
    )
    sides = [side for quote in params.quotes for side in _sides(quote)]
    result = session.context.engine.quotes.quote(terms, sides)
    errors = [_error_object(error) for error in result.errors]
    return wire.encode({"n_success": result.succeeded, "n_fail": result.failed, "errors": errors})


def set_mm_protection(session: Session, params: ProtectionParams) -> bytes:
    _check_quoter(session)
    assert session.account is not None
    trade = params.trade_amount if params.amount is None else params.amount
    quote = params.quote_amount if params.amount is None else params.amount
    amounts = [None if value is None else wire_decimal(value) for value in (trade, quote)]
    if amounts[0] is None or amounts[1] is None:
        raise OrderRejected(Reject.INVALID_AMOUNT, "trade_amount and quote_amount are both needed, as numbers")
    engine = session.context.engine
    engine.quotes.protect(session.account, session.session_id, params.product, amounts[0], amounts[1])
    return wire.encode(None)


def cancel_mass_quote(session: Session, params: CancelParams) -> bytes:
    assert session.account is not None
    session.context.engine.quotes.cancel(session.account, params.product)
    return wire.encode(None)


def _check_quoter(session: Session) -> None:
    assert session.account is not None
    if not session.account.may_quote:
        raise RequestError(ErrorCode.QUOTING_NOT_ENABLED, "mass quoting is not enabled for this account")
    if not session.cod_timeout_ns:
        raise RequestError(ErrorCode.PERSISTENT_SESSION, "persistent session: call set_cancel_on_disconnect first")


def _sides(quote: DoubleSidedQuote) -> list[QuoteSide]:
    sides = []
    for side, given in ((Side.BUY, quote.b), (Side.SELL, quote.a)):
        if given is None:
            continue
        pairs = [(given.p, given.a)] if isinstance(given, OneLevel) else given
        levels = tuple(QuoteLevel(wire_decimal(price), wire_decimal(amount)) for price, amount in pairs)
        sides.append(QuoteSide(quote.i, side, levels))
    return sides


def _error_object(error: QuoteError) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "code": int(CODE_OF_REJECT[error.rejected.reason]),
        "message": str(error.rejected),
        "side": error.side.value,
    }
    if error.price is not None:
        fields["price"] = plain(error.price)
    return fields


METHODS: Methods = {
    "private/mass_quote": Method(mass_quote, msgspec.json.Decoder(MassQuoteParams), needs_login=True, bucket="order"),
    "private/set_mm_protection": Method(
        set_mm_protection, msgspec.json.Decoder(ProtectionParams), needs_login=True, bucket="order"
    ),
    "private/cancel_mass_quote": Method(
        cancel_mass_quote, msgspec.json.Decoder(CancelParams), needs_login=True, bucket="cancel", is_logged=True
    ),
}
