"""Thalex frames: the envelope around every message, and the requests that we write.

    request       {"method":"private/cancel","id":7,"params":{"client_order_id":100}}
    response      {"id":7,"result":...}   or   {"id":8,"error":{"code":1,"message":"order not found"}}
    notification  {"channel_name":"book.X.none.10.raw","notification":...,"snapshot":true}

Payloads stay raw bytes here and are decoded by whoever knows their type. Orders are formatted by hand: the
fields are few, checked, and the path is hot.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from domain.errors import ProtocolError, Refusal
from domain.order import OrderType, Side, TimeInForce
from domain.units import decimal_number
from venues.gateway import NO_STP, NewOrder, SelfTradePrevention

NO_PAYLOAD = b""
NULL = b"null"
REASON_CHARS_MAX = 200  # a reason quotes the frame, and a frame may hold megabytes
CLIENT_ORDER_ID_MAX = 2**53 - 1  # the venue takes 64 bits; a JSON reader in between may not
_T = TypeVar("_T")
_LABEL = re.compile(r"[A-Za-z0-9<>|_-]{0,64}")
_INSTRUMENT_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ErrorBody(msgspec.Struct, gc=False):
    """The `error` of a response."""

    code: int = 0
    message: str = ""


class Envelope(msgspec.Struct, gc=False):
    """One frame. `result` is empty when the key is absent and `null` for void methods.

    The raw parts point into the frame: decode them before the frame's callback returns.
    """

    id: int | str | float | None = None
    result: msgspec.Raw = msgspec.Raw(NO_PAYLOAD)
    error: ErrorBody | None = None
    channel_name: str = ""
    notification: msgspec.Raw = msgspec.Raw(NO_PAYLOAD)
    snapshot: bool | None = None


def readable(decode: Callable[[Any], _T]) -> Callable[[Any], _T]:
    """Return `decode` with one error for all that can be wrong with bytes from outside: ProtocolError."""

    def read(payload: Any) -> _T:
        try:
            return decode(payload)
        except msgspec.ValidationError as error:
            raise _refused(error, Refusal.TYPE) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _refused(error, Refusal.JSON) from error
        except RecursionError as error:
            raise _refused(error, Refusal.DEPTH) from error

    return read


def _refused(error: Exception, refusal: Refusal) -> ProtocolError:
    return ProtocolError(f"unreadable message: {error}"[:REASON_CHARS_MAX], refusal)


_decode_envelope = readable(msgspec.json.Decoder(Envelope).decode)
_encode = msgspec.json.Encoder(decimal_format="number").encode


def decode_envelope(frame: bytes | memoryview) -> Envelope:
    """Return the frame's envelope.

    Raises:
        ProtocolError: when it is not a JSON object with fields of the documented types, or is neither a
            response nor a notification.
    """
    envelope = _decode_envelope(frame)
    if not envelope.channel_name and not bytes(envelope.result) and envelope.error is None:
        text = f"a frame of {len(frame)} bytes is neither a response nor a notification"
        raise ProtocolError(text, Refusal.ENVELOPE)
    return envelope


def encode_request(method: str, request_id: int, params: object) -> bytes:
    """Return any request; `params` must encode to a JSON object (Decimals become exact numbers)."""
    return _encode({"method": method, "id": request_id, "params": params})


def encode_insert(request_id: int, order: NewOrder) -> bytes:
    """Return a private/insert request.

    Raises:
        ValueError: when a field cannot be sent; the text names it.
    """
    if not 0 < order.client_order_id <= CLIENT_ORDER_ID_MAX:
        raise ValueError(f"client_order_id {order.client_order_id} is not in 1..2^53-1")
    if not _LABEL.fullmatch(order.label):
        raise ValueError(f"label {order.label!r} is not up to 64 of A-Z a-z 0-9 < > | _ -")
    if not _INSTRUMENT_NAME.fullmatch(order.instrument_name):
        raise ValueError(f"instrument name {order.instrument_name!r} holds characters that no venue uses")
    if not (order.size.is_finite() and order.size > 0):
        raise ValueError(f"order size must be positive, not {order.size}")
    text = (
        f'{{"method":"private/insert","id":{request_id},"params":{{'
        f'"direction":"{"buy" if order.side is Side.BUY else "sell"}",'
        f'"instrument_name":"{order.instrument_name}","amount":{decimal_number(order.size)},'
        f'"client_order_id":{order.client_order_id}'
    )
    if order.order_type is OrderType.MARKET:
        text += ',"order_type":"market"'
    elif order.price is None or not order.price.is_finite():
        raise ValueError(f"a limit order needs a finite price, not {order.price}")
    else:
        text += f',"price":{decimal_number(order.price)}'
    if order.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL:
        text += ',"time_in_force":"immediate_or_cancel"'
    if order.label:
        text += f',"label":"{order.label}"'
    if order.post_only:
        if order.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL or order.order_type is OrderType.MARKET:
            raise ValueError("an order that takes at once cannot be post-only")
        text += ',"post_only":true'
    if order.reduce_only:
        text += ',"reduce_only":true'
    if order.collar is not None:
        text += f',"collar":"{order.collar}"'
    if order.stp is not NO_STP:
        text += stp_text(order.stp)
    return (text + "}}").encode()


def stp_text(stp: SelfTradePrevention) -> str:
    """Return the fields of self-trade prevention that are not left to the venue, each after a comma."""
    level = f',"stp_level":"{stp.level}"' if stp.level else ""
    return level + (f',"stp_action":"{stp.action}"' if stp.action else "")


def encode_amend(request_id: int, client_order_id: int, price: Decimal, size: Decimal) -> bytes:
    """Return a private/amend request; `size` is the new total, 0 deletes the order."""
    if not (price.is_finite() and size.is_finite() and size >= 0):
        raise ValueError(f"cannot amend to price {price}, size {size}")
    return (
        f'{{"method":"private/amend","id":{request_id},"params":{{"client_order_id":{client_order_id},'
        f'"price":{decimal_number(price)},"amount":{decimal_number(size)}}}}}'
    ).encode()


def encode_cancel(request_id: int, client_order_id: int) -> bytes:
    """Return a private/cancel request for an order of this connection."""
    return b'{"method":"private/cancel","id":%d,"params":{"client_order_id":%d}}' % (request_id, client_order_id)


def encode_cancel_order(request_id: int, venue_order_id: str) -> bytes:
    """Return a private/cancel request by the venue's id, which outlives connections."""
    return encode_request("private/cancel", request_id, {"order_id": venue_order_id})
