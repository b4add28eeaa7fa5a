"""Thalex's error codes and how the core's refusals map to them."""

from __future__ import annotations

import enum

from exchange.core.orders import OrderRejected, Reject


class ErrorCode(enum.IntEnum):
    ORDER_NOT_FOUND = 1
    DUPLICATE_ORDER_ID = 2
    THROTTLE_EXCEEDED = 4
    UNKNOWN_INSTRUMENT = 5
    INVALID_REQUEST = 6
    NOT_LOGGED_IN = 7
    NOT_SUBSCRIBED = 9
    SESSION_EXHAUSTED = 11
    UNKNOWN_PRODUCT = 17
    INVALID_PRICE = 13
    INVALID_AMOUNT = 14
    PRICE_NOT_ON_TICK = 15
    AUTHENTICATION_FAILED = 19
    PROTECTION_NOT_SET = 23
    INSUFFICIENT_MARGIN = 24
    INVALID_TIME_IN_FORCE = 25
    TEMPORARY_FAILURE = 20
    UNKNOWN_METHOD = 31
    UNKNOWN_UNDERLYING = 40
    COLLAR_BREACH = 43
    QUOTE_TOO_LARGE = 44
    UNBOUNDED_MARKET_ORDER = 45
    INSUFFICIENT_FUNDS = 27
    UNAUTHORIZED = 28
    UNKNOWN_ASSET = 39
    INSUFFICIENT_LIQUIDITY = 41
    TOO_MANY_OPEN_ORDERS = 49
    TOTAL_SIZE_TOO_LARGE = 50
    QUOTING_NOT_ENABLED = 51
    PERSISTENT_SESSION = 52
    CONNECTION_LIMIT = 53
    TOO_MANY_BOTS = 55


CODE_OF_REJECT: dict[Reject, ErrorCode] = {
    Reject.ORDER_NOT_FOUND: ErrorCode.ORDER_NOT_FOUND,
    Reject.DUPLICATE_CLIENT_ORDER_ID: ErrorCode.DUPLICATE_ORDER_ID,
    Reject.UNKNOWN_INSTRUMENT: ErrorCode.UNKNOWN_INSTRUMENT,
    Reject.INVALID_REQUEST: ErrorCode.INVALID_REQUEST,
    Reject.INVALID_PRICE: ErrorCode.INVALID_PRICE,
    Reject.INVALID_AMOUNT: ErrorCode.INVALID_AMOUNT,
    Reject.PRICE_OFF_TICK: ErrorCode.PRICE_NOT_ON_TICK,
    Reject.INVALID_TIME_IN_FORCE: ErrorCode.INVALID_TIME_IN_FORCE,
    Reject.COLLAR_BREACH: ErrorCode.COLLAR_BREACH,
    Reject.UNBOUNDED_MARKET_ORDER: ErrorCode.UNBOUNDED_MARKET_ORDER,
    Reject.NOTHING_TO_REDUCE: ErrorCode.INVALID_AMOUNT,  # a guess: the venue's code for it is not known
    Reject.UNKNOWN_PRODUCT: ErrorCode.UNKNOWN_PRODUCT,
    Reject.PROTECTION_NOT_SET: ErrorCode.PROTECTION_NOT_SET,
    Reject.QUOTE_TOO_LARGE: ErrorCode.QUOTE_TOO_LARGE,
    Reject.INSUFFICIENT_MARGIN: ErrorCode.INSUFFICIENT_MARGIN,
    Reject.TOO_MANY_OPEN_ORDERS: ErrorCode.TOO_MANY_OPEN_ORDERS,
    Reject.TOTAL_SIZE_TOO_LARGE: ErrorCode.TOTAL_SIZE_TOO_LARGE,
    Reject.INSUFFICIENT_LIQUIDITY: ErrorCode.INSUFFICIENT_LIQUIDITY,
    Reject.TOO_MANY_BOTS: ErrorCode.TOO_MANY_BOTS,
    Reject.INSUFFICIENT_FUNDS: ErrorCode.INSUFFICIENT_FUNDS,
    Reject.UNKNOWN_ASSET: ErrorCode.UNKNOWN_ASSET,
}
assert set(CODE_OF_REJECT) == set(Reject)


class RequestError(Exception):
    """Raised to answer a request with an error; the connection stays open."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def request_error(rejected: OrderRejected) -> RequestError:
    return RequestError(CODE_OF_REJECT[rejected.reason], str(rejected))
