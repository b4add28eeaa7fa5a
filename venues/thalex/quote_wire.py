"""Mass quotes and market-maker protection on Thalex's wire. Quotes are formatted by hand, like orders."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from domain.errors import VenueError
from domain.instrument import Instrument, InstrumentKind
from domain.order import Side
from domain.units import decimal_number
from venues.quoting import MassQuote, ProtectionReport, QuotedSide, QuoteFailure
from venues.thalex.wire import encode_request, readable, stp_text

MASS_QUOTE = "private/mass_quote"
CANCEL_MASS_QUOTE = "private/cancel_mass_quote"
QUOTES_MAX = 100  # instruments in one message
LEVELS_MAX = 10
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}


class _QuoteError(msgspec.Struct, gc=False):
    code: int = 0
    message: str = ""
    side: str | None = None
    price: Decimal | None = None


class _QuoteResult(msgspec.Struct, gc=False):
    n_success: int = 0
    n_fail: int = 0
    errors: list[_QuoteError] | None = None


class _Protection(msgspec.Struct, gc=False):
    product: str
    remaining_amount: Decimal
    reason: str = ""


_decode_result = readable(msgspec.json.Decoder(_QuoteResult).decode)
_decode_protections = readable(msgspec.json.Decoder(list[_Protection]).decode)


def product_of(instrument: Instrument) -> str:
    """Return the product, e.g. FBTCUSD: O for options and F for everything else, then the underlying."""
    return ("O" if instrument.kind is InstrumentKind.OPTION else "F") + instrument.underlying


def encode_mass_quote(request_id: int, quote: MassQuote) -> bytes:
    """Return a private/mass_quote request; label and names are checked by the configuration and the venue's listing.

    Raises:
        ValueError: when it holds more than the venue takes in one message.
    """
    by_name: dict[str, list[str]] = {}
    for side in quote.sides:
        if len(side.levels) > LEVELS_MAX:
            raise ValueError(f"{side.instrument_name}: {len(side.levels)} levels a side, the venue takes {LEVELS_MAX}")
        by_name.setdefault(side.instrument_name, []).append(_side_text(side))
    if len(by_name) > QUOTES_MAX:
        raise ValueError(f"{len(by_name)} instruments in one mass quote, the venue takes {QUOTES_MAX}")
    quotes = ",".join(f'{{"i":"{name}",{",".join(sides)}}}' for name, sides in by_name.items())
    text = f'{{"method":"{MASS_QUOTE}","id":{request_id},"params":{{"quotes":[{quotes}]'
    if quote.label:
        text += f',"label":"{quote.label}"'
    if quote.post_only:
        text += ',"post_only":true'
    text += stp_text(quote.stp)
    return (text + "}}").encode()


def encode_cancel_mass_quotes(request_id: int, product: str) -> bytes:
    """Return a request that takes back all quotes of a product and deletes its protection group."""
    return encode_request(CANCEL_MASS_QUOTE, request_id, {"product": product})


def decode_quote_result(payload: Any) -> list[QuoteFailure]:
    """Return what a mass quote failed in; a count of failures without their errors is one unnamed failure."""
    result = _decode_result(payload)
    failures = [
        QuoteFailure(VenueError(one.code, one.message, MASS_QUOTE), _SIDES.get(one.side or ""), one.price)
        for one in result.errors or ()
    ]
    if result.n_fail and not failures:
        failures.append(QuoteFailure(VenueError(0, f"{result.n_fail} quotes failed", MASS_QUOTE), None, None))
    return failures


def decode_protections(payload: Any) -> list[ProtectionReport]:
    """Return a message of session.mm_protection."""
    return [ProtectionReport(one.product, one.remaining_amount, one.reason) for one in _decode_protections(payload)]


def protection_params(product: str, trade_size: Decimal, quote_size: Decimal) -> dict[str, object]:
    """Return the parameters of private/set_mm_protection."""
    return {"product": product, "trade_amount": trade_size, "quote_amount": quote_size}


def _side_text(side: QuotedSide) -> str:
    levels: Iterable[str] = (f"[{decimal_number(price)},{decimal_number(size)}]" for price, size in side.levels)
    return f'"{"b" if side.side is Side.BUY else "a"}":[{",".join(levels)}]'
