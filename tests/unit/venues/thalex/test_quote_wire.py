"""Mass quotes and market-maker protection, to the byte."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from domain.errors import ProtocolError
from domain.instrument import Instrument, InstrumentKind
from domain.order import Side
from venues.quoting import MassQuote, QuotedSide
from venues.thalex.quote_wire import (
    decode_protections,
    decode_quote_result,
    encode_cancel_mass_quotes,
    encode_mass_quote,
    product_of,
)

BTC = "BTC-PERPETUAL"


def side(name: str, side: Side, *levels: tuple[str, str]) -> QuotedSide:
    return QuotedSide(name, side, tuple((Decimal(price), Decimal(size)) for price, size in levels))


def test_sides_of_one_instrument_share_an_item_and_numbers_are_exact() -> None:
    quote = MassQuote(
        quote_id=9,
        sides=(
            side(BTC, Side.BUY, ("99990", "0.1"), ("99980", "0.200")),
            side(BTC, Side.SELL, ("100010", "1E-3")),
            side("BTC-25DEC26", Side.SELL),
        ),
        post_only=True,
        label="rm-x",
    )
    assert encode_mass_quote(7, quote) == (
        b'{"method":"private/mass_quote","id":7,"params":{"quotes":['
        b'{"i":"BTC-PERPETUAL","b":[[99990,0.1],[99980,0.2]],"a":[[100010,0.001]]},'
        b'{"i":"BTC-25DEC26","a":[]}],"label":"rm-x","post_only":true}}'
    )


def test_what_the_venue_does_not_take_in_one_message_is_refused_before() -> None:
    with pytest.raises(ValueError, match="11 levels a side"):
        encode_mass_quote(1, MassQuote(quote_id=1, sides=(side(BTC, Side.BUY, *[(str(n), "1") for n in range(11)]),)))
    with pytest.raises(ValueError, match="101 instruments"):
        encode_mass_quote(1, MassQuote(quote_id=1, sides=tuple(side(f"N{n}", Side.BUY) for n in range(101))))


def test_cancelling_names_the_product() -> None:
    assert json.loads(encode_cancel_mass_quotes(3, "FBTCUSD")) == {
        "method": "private/cancel_mass_quote", "id": 3, "params": {"product": "FBTCUSD"},
    }  # fmt: skip


def test_products_are_named_by_kind_and_underlying() -> None:
    def named(kind: InstrumentKind) -> str:
        return product_of(Instrument("X", kind, "ETHUSD", Decimal(1), Decimal(1), Decimal(1)))

    kinds = (InstrumentKind.PERPETUAL, InstrumentKind.FUTURE, InstrumentKind.ROLL, InstrumentKind.OPTION)
    assert [named(kind) for kind in kinds] == ["FETHUSD", "FETHUSD", "FETHUSD", "OETHUSD"]


def test_a_result_tells_what_failed_where() -> None:
    assert decode_quote_result(b'{"n_success":3,"n_fail":0,"errors":[]}') == []
    (failure,) = decode_quote_result(
        b'{"n_success":1,"n_fail":1,"errors":[{"code":15,"message":"off tick","side":"buy","price":99990.5}]}'
    )
    assert (failure.error.code, failure.side, failure.price) == (15, Side.BUY, Decimal("99990.5"))


def test_failures_that_are_counted_and_not_named_are_not_lost() -> None:
    (failure,) = decode_quote_result(b'{"n_success":0,"n_fail":2}')
    assert (failure.side, failure.price) == (None, None)
    (failure,) = decode_quote_result(b'{"n_fail":1,"errors":[{"code":23,"message":"not set"}]}')
    assert (failure.error.code, failure.side) == (23, None)


def test_protection_is_read_exactly_below_zero_too() -> None:
    (report,) = decode_protections(b'[{"product":"FBTCUSD","remaining_amount":-0.01,"reason":"executions"}]')
    assert (report.product, report.remaining, report.reason) == ("FBTCUSD", Decimal("-0.01"), "executions")


@pytest.mark.parametrize("payload", [b"null", b"[]", b'{"errors":7}', b'"x"'])
def test_an_unreadable_result_is_a_protocol_error(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_quote_result(payload)
