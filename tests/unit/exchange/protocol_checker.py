"""A checker of the documented protocol: every frame that a session gets is held against envelope and schemas.

Written from the documentation alone, with no code of the exchange. A schema is a dict of field to check; a
name that ends in `?` may be left out, nothing else may be there. A check is a function of one value.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def text(value: Any) -> bool:
    return isinstance(value, str)


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def nullable(check: Check) -> Check:
    return lambda value: value is None or check(value)


def one_of(*values: Any) -> Check:
    return lambda value: value in values


def array(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


def row(*checks: Check) -> Check:
    return lambda value: (
        isinstance(value, list) and len(value) == len(checks) and all(c(v) for c, v in zip(checks, value, strict=True))
    )


def mapping(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(check(item) for item in value.values())


def shape(fields: dict[str, Check]) -> Check:
    required = {name: check for name, check in fields.items() if not name.endswith("?")}
    optional = {name[:-1]: check for name, check in fields.items() if name.endswith("?")}

    def fits(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        missing = required.keys() - value.keys()
        unknown = value.keys() - required.keys() - optional.keys()
        wrong = [
            name
            for name, item in value.items()
            if name in {**required, **optional} and not {**required, **optional}[name](item)
        ]
        assert not missing, f"missing {missing} in {value}"
        assert not unknown, f"unknown {unknown} in {value}"
        assert not wrong, f"wrong {wrong} in {value}"
        return True

    return fits


SIDE = one_of("buy", "sell")
STATUS = one_of("open", "partially_filled", "cancelled", "cancelled_partially_filled", "filled")
DELETE_REASON = one_of(
    "client_cancel",
    "client_bulk_cancel",
    "session_end",
    "instrument_deactivated",
    "mm_protection",
    "failover",
    "margin_breach",
    "filled",
    "immediate_cancel",
    "admin_cancel",
    "replaced",
    "self_trade_prevention",
)
INSERT_REASON = one_of("client_request", "conditional_order", "bot", "liquidation")
FILL = shape(
    {
        "trade_id": text,
        "price": number,
        "amount": number,
        "maker_taker": one_of("maker", "taker"),
        "leg_index": number,
        "time?": number,
    }
)
ORDER_COMMON: dict[str, Check] = {
    "order_id": text,
    "order_type": one_of("limit", "market"),
    "instrument_name": text,
    "direction": SIDE,
    "price?": number,
    "amount": number,
    "filled_amount": number,
    "label?": text,
    "client_order_id?": integer,
    "status": STATUS,
    "fills": array(FILL),
    "insert_reason": INSERT_REASON,
    "create_time": number,
    "conditional_order_id?": text,
    "bot_id?": text,
    "reduce_only?": one_of(True),
}
ORDER_STATUS = shape(
    {
        **ORDER_COMMON,
        "time_in_force": one_of("good_till_cancelled", "immediate_or_cancel"),
        "remaining_amount": number,
        "change_reason": one_of("existing", "insert", "amend", "cancel", "fill"),
        "delete_reason?": DELETE_REASON,
        "close_time?": number,
        "persistent": flag,
    }
)
ORDER_HISTORY = shape({**ORDER_COMMON, "delete_reason": DELETE_REASON, "close_time": number})
TRADE = shape(
    {
        "trade_type": one_of(
            "normal", "block", "combo", "amend", "delete", "internal_transfer", "expiration", "rfq", "liquidation"
        ),
        "trade_id": text,
        "order_id": text,
        "instrument_name": text,
        "direction": SIDE,
        "price": number,
        "amount": number,
        "label?": text,
        "time": number,
        "position_after": number,
        "session_realised_after": number,
        "position_pnl?": number,
        "perpetual_funding_pnl?": number,
        "fee": number,
        "fee_rate": number,
        "fee_basis": number,
        "index": number,
        "funding_mark?": number,
        "liquidation_fee?": number,
        "client_order_id?": integer,
        "maker_taker": one_of("maker", "taker"),
        "bot_id?": text,
        "leg_index": number,
    }
)
PORTFOLIO = array(
    shape(
        {
            "instrument_name": text,
            "position": number,
            "mark_price": number,
            "iv?": number,
            "index": number,
            "start_price": number,
            "average_price": number,
            "unrealised_pnl": number,
            "realised_pnl": number,
            "entry_value": number,
            "perpetual_funding_entry_value?": number,
            "unrealised_perpetual_funding?": number,
        }
    )
)
CASH = {
    "currency": text,
    "balance": number,
    "collateral_factor": number,
    "collateral_index_price?": nullable(number),
    "transactable": flag,
}
SUMMARY = {
    "unrealised_pnl": number,
    "cash_collateral": number,
    "margin": number,
    "required_margin": number,
    "remaining_margin": number,
    "session_realised_pnl": number,
}
ACCOUNT_SUMMARY = shape({**SUMMARY, "cash": array(shape(CASH))})
CONDITIONAL = shape(
    {
        "order_id": text,
        "instrument_name": text,
        "direction": SIDE,
        "amount": number,
        "target": one_of("last", "mark", "index"),
        "stop_price": number,
        "limit_price?": number,
        "bracket_price?": number,
        "trailing_stop_callback_rate?": number,
        "label?": text,
        "status": one_of("created", "active", "converted", "rejected", "cancel requested", "cancelled"),
        "create_time": number,
        "update_time": number,
        "convert_time?": number,
        "converted_order_id?": text,
        "reject_reason?": text,
        "reduce_only": flag,
    }
)
INSTRUMENT = shape(
    {
        "instrument_name": text,
        "product": text,
        "tick_size": number,
        "volume_tick_size": number,
        "min_order_amount": number,
        "underlying": text,
        "type": one_of("perpetual", "future", "option", "combination"),
        "option_type?": one_of("call", "put"),
        "expiry_date?": text,
        "expiration_timestamp?": integer,
        "strike_price?": number,
        "base_currency": one_of("USD"),
        "create_time": number,
        "legs?": array(shape({"instrument_name": text, "quantity": integer})),
        "settlement_price?": number,
        "settlement_index_price?": number,
    }
)
TICKER = shape(
    {
        "mark_price": number,
        "mark_timestamp": number,
        "best_bid_price?": nullable(number),
        "best_bid_amount?": nullable(number),
        "best_ask_price?": nullable(number),
        "best_ask_amount?": nullable(number),
        "last_price?": nullable(number),
        "iv?": number,
        "delta?": number,
        "volume_24h?": number,
        "value_24h?": number,
        "low_price_24h?": nullable(number),
        "high_price_24h?": nullable(number),
        "change_24h?": nullable(number),
        "index": number,
        "forward?": number,
        "collar_low?": number,
        "collar_high?": number,
        "open_interest?": number,
        "funding_rate?": number,
        "funding_mark?": number,
        "realised_funding_24h?": number,
        "average_funding_rate_24h?": number,
    }
)
LEVEL = row(number, number, number)
LIGHT = shape({"b?": LEVEL, "a?": LEVEL, "l?": nullable(number), "m": number, "v?": number})
BOOK = shape(
    {
        "bid_changes?": array(LEVEL),
        "ask_changes?": array(LEVEL),
        "trades?": array(row(number, number, SIDE, number, flag)),
        "total_bid_amount?": number,
        "total_ask_amount?": number,
        "time?": number,
    }
)
INDEX = shape(
    {
        "index_name": text,
        "price": number,
        "timestamp": number,
        "previous_settlement_price?": number,
        "expiration_print_average?": number,
        "expiration_progress?": number,
        "expected_expiration_price?": number,
    }
)


def light_row(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (6, 8) and number(value[0])


CHANNELS: dict[str, tuple[Check, bool]] = {  # first part of the name -> (payload, whether a snapshot comes first)
    "session.orders": (array(ORDER_STATUS), True),
    "account.orders": (array(ORDER_STATUS), True),
    "account.persistent_orders": (array(ORDER_STATUS), True),
    "account.portfolio": (PORTFOLIO, True),
    "account.summary": (ACCOUNT_SUMMARY, False),
    "account.trade_history": (array(TRADE), False),
    "account.order_history": (array(ORDER_HISTORY), False),
    "account.conditional_orders": (array(CONDITIONAL), False),
    "session.mm_protection": (
        array(
            shape(
                {
                    "product": text,
                    "remaining_amount": number,
                    "reason": one_of("refill", "executions", "client_cancel", "session_end", "failover"),
                }
            )
        ),
        False,
    ),
    "ticker": (TICKER, False),
    "lwt": (LIGHT, False),
    "lwt_options": (shape({"tickers": mapping(light_row)}), False),
    "lwt_futures": (shape({"tickers": mapping(light_row)}), False),
    "lwt_future_rolls": (shape({"tickers": mapping(light_row)}), False),
    "book": (BOOK, True),
    "recent_trades": (array(row(number, number, SIDE, number, text, flag)), True),
    "price_index": (INDEX, False),
    "instruments": (array(shape({"added?": INSTRUMENT, "removed?": INSTRUMENT})), True),
    "index_components": (shape({"index_price": number, "components": mapping(number)}), False),
    "base_price": (shape({"base_name": text, "price": number, "index": number, "index_delta": number}), False),
    "underlying_statistics": (lambda value: isinstance(value, dict), False),
    "banners": (array(lambda _: True), False),
    "rfqs": (array(lambda _: True), True),
    "system": (shape({"event": text}), False),
}
RESULTS: dict[str, Check] = {
    "public/login": shape({"account_number": text}),
    "private/set_cancel_on_disconnect": shape({"message_rate": integer}),
    "public/subscribe": array(text),
    "private/subscribe": array(text),
    "unsubscribe": array(text),
    "public/system_info": shape({"environment": text, "api_version": text, "banners": array(lambda _: True)}),
    "public/instruments": array(INSTRUMENT),
    "public/all_instruments": array(INSTRUMENT),
    "public/instrument": INSTRUMENT,
    "public/ticker": TICKER,
    "public/index": INDEX,
    "public/book": shape({"bids": array(LEVEL), "asks": array(LEVEL), "last?": nullable(number), "time": number}),
    "private/insert": ORDER_STATUS,
    "private/buy": ORDER_STATUS,
    "private/sell": ORDER_STATUS,
    "private/amend": ORDER_STATUS,
    "private/cancel": ORDER_STATUS,
    "private/cancel_all": integer,
    "private/cancel_session": one_of(None),
    "private/open_orders": array(ORDER_STATUS),
    "private/portfolio": PORTFOLIO,
    "private/account_summary": ACCOUNT_SUMMARY,
    "private/trade_history": shape({"trades": array(TRADE), "bookmark?": nullable(text)}),
    "private/order_history": shape({"orders": array(ORDER_HISTORY), "bookmark?": nullable(text)}),
    "private/conditional_order_history": shape({"orders": array(CONDITIONAL), "bookmark?": nullable(text)}),
    "private/create_conditional_order": CONDITIONAL,
    "private/cancel_conditional_order": one_of(None),
    "private/cancel_all_conditional_orders": one_of(None),
    "private/open_conditional_orders": array(CONDITIONAL),
    "private/mass_quote": shape(
        {
            "n_success": integer,
            "n_fail": integer,
            "errors": array(shape({"code": integer, "message": text, "side?": text, "price?": number})),
        }
    ),
    "private/set_mm_protection": one_of(None),
    "private/cancel_mass_quote": one_of(None),
    "private/required_margin_breakdown": lambda value: number(value["portfolio"]["required_margin"]),
    "private/required_margin_for_order": shape(
        dict.fromkeys(("current", "with_buy", "with_sell"), lambda v: number(v["required_margin"]))
    ),
}


class ProtocolChecker:
    """Takes the requests of one connection as they are sent, and each frame that comes back."""

    def __init__(self) -> None:
        self.frames_total = 0
        self.seen: set[str] = set()  # methods answered with a result, and channels
        self._asked: dict[int, str] = {}
        self._told: set[str] = set()

    def ask(self, request_id: int, method: str) -> None:
        assert request_id not in self._asked, f"the test uses id {request_id} twice"
        self._asked[request_id] = method

    def forget(self, channel_name: str) -> None:
        """Expect a first message again: the channel has been left."""
        self._told.discard(channel_name)

    def take(self, frame: bytes) -> None:
        """Check one frame.

        Raises:
            AssertionError: with what is wrong, and the frame.
        """
        self.frames_total += 1
        message = json.loads(frame)
        assert "jsonrpc" not in message, frame
        assert b": " not in frame.split(b'"message"')[0][:12], f"not compact: {frame[:80]!r}"
        if frame.startswith(b'{"id":'):
            self._take_response(message, frame)
        else:
            assert frame.startswith(b'{"channel_name":"'), frame
            self._take_notification(message, frame)

    def finish(self) -> None:
        """Expect that everything asked has been answered exactly once."""
        assert not self._asked, f"not answered: {self._asked}"

    def _take_response(self, message: dict[str, Any], frame: bytes) -> None:
        assert message.keys() in ({"id", "result"}, {"id", "error"}), frame
        method = self._asked.pop(message["id"])
        if "error" in message:
            shape({"code": integer, "message": text})(message["error"])
            return
        self.seen.add(method)
        check = RESULTS.get(method)
        assert check is None or check(message["result"]), f"{method}: {frame!r}"

    def _take_notification(self, message: dict[str, Any], frame: bytes) -> None:
        assert message.keys() <= {"channel_name", "notification", "snapshot"}, frame
        name = message["channel_name"]
        kind = name if name in CHANNELS else name.split(".")[0]
        check, is_stateful = CHANNELS[kind]
        assert check(message["notification"]), f"{name}: {frame!r}"
        assert message.get("snapshot") in (None, True), frame
        if is_stateful:
            assert ("snapshot" in message) == (name not in self._told), f"{name}: snapshot at the wrong time: {frame!r}"
        self._told.add(name)
        self.seen.add(kind)
