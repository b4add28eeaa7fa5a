"""Bytes of the protocol: the request envelope in, responses and notifications out.

Responses start with `{"id":`, notifications with `{"channel_name":"`; clients route on these prefixes. The
key `result` is there even when null, `snapshot` only when true. Numbers are the shortest decimals.
"""

from __future__ import annotations

from typing import Any

import msgspec

from exchange.gateways.thalex.errors import ErrorCode, RequestError

MISSING = msgspec.Raw(b"")
_encoder = msgspec.json.Encoder(decimal_format="number")


class Request(msgspec.Struct):
    method: str
    params: msgspec.Raw = MISSING
    id: Any = None


class _IdOnly(msgspec.Struct):
    id: Any = None


_request_decoder = msgspec.json.Decoder(Request)
_id_decoder = msgspec.json.Decoder(_IdOnly)


def encode(value: Any) -> bytes:
    return _encoder.encode(value)


def decode_request(frame: bytes) -> Request:
    """Parse one frame.

    Raises:
        RequestError: code 6 when it is not a JSON object with a method and params.
    """
    try:
        request = _request_decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(ErrorCode.INVALID_REQUEST, f"invalid request: {error}") from None
    if not bytes(request.params).startswith(b"{"):
        raise RequestError(ErrorCode.INVALID_REQUEST, "invalid request: params must be an object, {} if none")
    return request


def salvage_id(frame: bytes) -> Any:
    """Return the id of a frame that is no valid request, or None."""
    try:
        return _id_decoder.decode(frame).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def response(request_id: Any, result: bytes) -> bytes:
    return b'{"id":' + _encoder.encode(request_id) + b',"result":' + result + b"}"


def error_response(request_id: Any, code: int, message: str) -> bytes:
    error = _encoder.encode({"code": int(code), "message": message})
    return b'{"id":' + _encoder.encode(request_id) + b',"error":' + error + b"}"


def notification(channel_name: str, payload: bytes, *, snapshot: bool = False) -> bytes:
    tail = b',"snapshot":true}' if snapshot else b"}"
    return b'{"channel_name":' + _encoder.encode(channel_name) + b',"notification":' + payload + tail
