"""Thalex market data: payloads of public channels and of public/instruments.

Prices and sizes are float64, as models read them; tick and lot sizes are exact decimals. Every field that the
venue may leave out has a default; unknown fields are ignored.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from domain.clock import NS_PER_S
from domain.errors import ProtocolError, Refusal
from domain.instrument import Instrument, InstrumentKind
from venues.thalex.wire import readable

_NAN = math.nan
# A float holds Unix seconds to about 0.2 µs, so stamps are kept to the microsecond.
_US_PER_S = 1_000_000
STEP_MIN, STEP_MAX = Decimal("1e-9"), Decimal("1e9")  # beyond, lots and ticks leave 64 bits
_SECONDS_MAX = 9e9  # the year 2255; 64 bits of ns end soon after


def stamp_ns(seconds: float) -> int:
    """Return venue seconds as Unix ns, to the microsecond; 0 when it sent none or nonsense."""
    if not 0.0 <= seconds < _SECONDS_MAX:
        return 0
    return round(seconds * _US_PER_S) * (NS_PER_S // _US_PER_S)


Positive = Annotated[float, msgspec.Meta(gt=0)]
# Price, amount, and usually the part of the amount that rests in this very book.
Level = Annotated[list[float], msgspec.Meta(min_length=2)]
LEVELS_MAX = 20_000  # more in one message would hold the loop for longer than the feed may be silent
Levels = Annotated[list[Level], msgspec.Meta(max_length=LEVELS_MAX)]


class BookPayload(msgspec.Struct, gc=False):
    """Changes of a book: amount 0 removes the level, other amounts are absolute."""

    bid_changes: Levels = []
    ask_changes: Levels = []
    time: float = 0.0


class TickerPayload(msgspec.Struct, gc=False):
    """The fields of a ticker that records keep, in their order, and its time; absent is NaN, null is None."""

    mark_price: float | None = _NAN
    index: float | None = _NAN
    last_price: float | None = _NAN
    best_bid_price: float | None = _NAN
    best_bid_amount: float | None = _NAN
    best_ask_price: float | None = _NAN
    best_ask_amount: float | None = _NAN
    funding_rate: float | None = _NAN
    collar_low: float | None = _NAN
    collar_high: float | None = _NAN
    open_interest: float | None = _NAN
    forward: float | None = _NAN
    funding_mark: float | None = _NAN
    iv: float | None = _NAN
    delta: float | None = _NAN
    mark_timestamp: float | None = _NAN

    @property
    def is_two_sided(self) -> bool:
        bid, ask = self.best_bid_price, self.best_ask_price
        return bid is not None and ask is not None and not math.isnan(bid) and not math.isnan(ask)


class LightTickerPayload(msgspec.Struct, gc=False):
    """`lwt`: a side is [price, amount, amount in this very book], absent or empty when there is none."""

    m: float | None = None
    b: list[float] | None = None
    a: list[float] | None = None
    l: float | None = None  # noqa: E741 (the venue's name)
    v: float | None = None


class IndexPayload(msgspec.Struct, gc=False):
    """An index; the fields about expiration are there while it is being averaged, 07:30 to 08:00 UTC."""

    price: Positive
    timestamp: float = 0.0
    previous_settlement_price: float | None = None
    expected_expiration_price: float | None = None
    expiration_progress: float | None = None


class BasePricePayload(msgspec.Struct, gc=False):
    """The forward of one expiry: `base_name` is its future, or "synthetic"."""

    price: Positive
    base_name: str = ""
    index: float | None = None
    index_delta: float | None = None


class SystemPayload(msgspec.Struct, gc=False):
    event: str = ""


class PublicTrade(msgspec.Struct, array_like=True, gc=False):
    """One item of recent_trades."""

    price: float
    size: Positive
    aggressor: Literal["buy", "sell"]
    time: float
    instrument_name: str = ""
    is_implied: bool = False


class InstrumentPayload(msgspec.Struct, gc=False):
    """An instrument as the venue describes it; options carry more."""

    instrument_name: str
    type: str
    underlying: str
    tick_size: Decimal
    volume_tick_size: Decimal | None = None
    min_order_amount: Decimal | None = None
    expiration_timestamp: float | None = None


class InstrumentName(msgspec.Struct, gc=False):
    """As much of an instrument as its removal needs."""

    instrument_name: str


class InstrumentChange(msgspec.Struct, gc=False):
    """One item of the `instruments` channel."""

    added: InstrumentPayload | None = None
    removed: InstrumentName | None = None


_KINDS = {
    "perpetual": InstrumentKind.PERPETUAL,
    "future": InstrumentKind.FUTURE,
    "option": InstrumentKind.OPTION,
    "combination": InstrumentKind.ROLL,
}

decode_book = readable(msgspec.json.Decoder(BookPayload).decode)
decode_ticker = readable(msgspec.json.Decoder(TickerPayload).decode)
decode_index = readable(msgspec.json.Decoder(IndexPayload).decode)
decode_base_price = readable(msgspec.json.Decoder(BasePricePayload).decode)
_decode_light_ticker = readable(msgspec.json.Decoder(LightTickerPayload).decode)
decode_system = readable(msgspec.json.Decoder(SystemPayload).decode)
decode_trades = readable(msgspec.json.Decoder(list[PublicTrade]).decode)
_decode_items = readable(msgspec.json.Decoder(list[msgspec.Raw]).decode)
_decode_instrument = readable(msgspec.json.Decoder(InstrumentPayload).decode)
_decode_instrument_change = readable(msgspec.json.Decoder(InstrumentChange).decode)


def number(value: float | None) -> float:
    """Return `value`, or NaN for what the venue did not send."""
    return _NAN if value is None else value


def decode_light_ticker(payload: Any) -> TickerPayload:
    """Return a message of `lwt` as the ticker that it is a part of."""
    light = _decode_light_ticker(payload)
    bid_price, bid_amount = _top(light.b)
    ask_price, ask_amount = _top(light.a)
    return TickerPayload(
        mark_price=light.m,
        last_price=light.l,
        iv=light.v,
        best_bid_price=bid_price,
        best_bid_amount=bid_amount,
        best_ask_price=ask_price,
        best_ask_amount=ask_amount,
    )


def _top(side: list[float] | None) -> tuple[float | None, float | None]:
    if not side:
        return None, None
    if len(side) < 2:
        raise ProtocolError(f"a side of lwt has a price and no amount: {side}", Refusal.VALUE)
    return side[0], side[1]


def instrument_of(payload: InstrumentPayload) -> Instrument:
    """Return the venue's description in our words.

    Raises:
        ProtocolError: when its kind is unknown or a step is missing or not positive, or beyond reason.
    """
    kind = _KINDS.get(payload.type)
    if kind is None:
        raise ProtocolError(f"{payload.instrument_name}: unknown instrument type {payload.type!r}")
    lot_size = payload.volume_tick_size or payload.min_order_amount
    if lot_size is None:
        raise ProtocolError(f"{payload.instrument_name}: neither volume_tick_size nor min_order_amount")
    size_min = payload.min_order_amount or lot_size
    for step in (payload.tick_size, lot_size, size_min):
        if not (step.is_finite() and STEP_MIN <= step <= STEP_MAX):  # a Decimal may come as text, "NaN" too
            raise ProtocolError(f"{payload.instrument_name}: {step} is no step of a price or a size")
    return Instrument(
        name=payload.instrument_name,
        kind=kind,
        underlying=payload.underlying,
        tick_size=payload.tick_size,
        lot_size=lot_size,
        size_min=size_min,
        expiry_ns=stamp_ns(payload.expiration_timestamp or 0.0),
    )


def decode_instruments(payload: Any) -> dict[str, Instrument]:
    """Return the answer of public/instruments by name; instruments that we cannot read are left out."""
    found: dict[str, Instrument] = {}
    for item in _decode_items(payload):
        try:
            instrument = instrument_of(_decode_instrument(item))
        except ProtocolError:
            continue  # a kind that the venue added since: nothing of ours trades it
        found[instrument.name] = instrument
    return found


def decode_instrument_changes(payload: Any) -> list[InstrumentChange]:
    """Return a message of the `instruments` channel; changes that we cannot read are left out."""
    changes = []
    for item in _decode_items(payload):
        try:
            changes.append(_decode_instrument_change(item))
        except ProtocolError:
            continue  # of a kind that the venue added since
    return changes
