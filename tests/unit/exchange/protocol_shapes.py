"""The documented protocol as shapes: what each result and each channel's payload must look like.

Written from the documentation alone, with no code of the exchange. A shape is a dict of field to check; a name
that ends in `?` may be left out, nothing else may be there, and fields come in the order of the dict where the
documentation shows one. A check is a function of one value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15


def positive(value: Any) -> bool:
    return number(value) and value > 0


def unsigned(value: Any) -> bool:
    return number(value) and value >= 0


def stamp(value: Any) -> bool:
    """Seconds since the epoch, with a fraction: later than 2023, and not in milliseconds."""
    return isinstance(value, float) and 1.6e9 < value < 4e9


def text(value: Any) -> bool:
    return isinstance(value, str)


def identifier(value: Any) -> bool:
    return isinstance(value, str) and value.isalnum()


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


def all_of(*checks: Check) -> Check:
    return lambda value: all(check(value) for check in checks)


def shape(fields: dict[str, Check]) -> Check:
    checks = {name.removesuffix("?"): check for name, check in fields.items()}
    required = {name for name in fields if not name.endswith("?")}
    places = {name: place for place, name in enumerate(checks)}

    def fits(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        missing, unknown = required - value.keys(), value.keys() - checks.keys()
        assert not missing, f"missing {missing} in {value}"
        assert not unknown, f"unknown {unknown} in {value}"
        wrong = [name for name, item in value.items() if not checks[name](item)]
        assert not wrong, f"wrong {wrong} in {value}"
        order = [places[name] for name in value]
        assert order == sorted(order), f"out of order: {list(value)}"
        return True

    return fits


SIDE = one_of("buy", "sell")
TYPE = one_of("perpetual", "future", "option", "combination")
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
        "trade_id": identifier,
        "price": number,
        "amount": positive,
        "time": stamp,
        "maker_taker": one_of("maker", "taker"),
        "leg_index": integer,
    }
)
LEG_STATUS: dict[str, Check] = {"instrument_name": text, "quantity": integer, "filled_amount": unsigned}
ORDER_START: dict[str, Check] = {"order_id": identifier, "order_type": one_of("limit", "market")}
ORDER_AMOUNTS: dict[str, Check] = {"price?": number, "amount": unsigned, "filled_amount": unsigned}
ORDER_NAMES: dict[str, Check] = {"label?": text, "client_order_id?": integer, "status": STATUS, "fills": array(FILL)}
ORDER_END: dict[str, Check] = {"conditional_order_id?": identifier, "bot_id?": identifier}


def order_adds_up(order: dict[str, Any]) -> bool:
    """Expect what the fields of an OrderStatus say of each other."""
    closed = order["status"] in ("cancelled", "cancelled_partially_filled", "filled")
    assert ("delete_reason" in order) == ("close_time" in order) == closed, order
    assert (order.get("delete_reason") == "filled") == (order["status"] == "filled"), order
    assert ("instrument_name" in order) != ("legs" in order), order
    assert ("price" in order) == (order["order_type"] == "limit"), order
    left = 0 if closed else round(order["amount"] - order["filled_amount"], 8)
    assert order["remaining_amount"] == left, order
    assert order["filled_amount"] <= order["amount"] or closed, order
    assert (order["filled_amount"] > 0) == (
        order["status"] in ("partially_filled", "cancelled_partially_filled", "filled")
    ), order
    if order["change_reason"] == "existing" and "legs" not in order:
        assert round(sum(fill["amount"] for fill in order["fills"]), 8) == order["filled_amount"], order
    if order["change_reason"] == "fill":
        assert order["fills"], order
    if order["order_type"] == "market" or "legs" in order:
        assert order["time_in_force"] == "immediate_or_cancel", order
    return True


ORDER_STATUS = all_of(
    shape(
        {
            **ORDER_START,
            "time_in_force": one_of("good_till_cancelled", "immediate_or_cancel"),
            "instrument_name?": text,
            "legs?": array(shape({**LEG_STATUS, "remaining_amount": one_of(0)})),
            "direction": SIDE,
            **ORDER_AMOUNTS,
            "remaining_amount": unsigned,
            **ORDER_NAMES,
            "change_reason": one_of("existing", "insert", "amend", "cancel", "fill"),
            "delete_reason?": DELETE_REASON,
            "insert_reason": INSERT_REASON,
            "create_time": stamp,
            "close_time?": stamp,
            "reduce_only?": one_of(True),
            "persistent": flag,
            **ORDER_END,
        }
    ),
    order_adds_up,
)
ORDER_HISTORY = shape(
    {
        **ORDER_START,
        "instrument_name?": text,
        "legs?": array(shape(LEG_STATUS)),
        "direction": SIDE,
        **ORDER_AMOUNTS,
        **ORDER_NAMES,
        "delete_reason": DELETE_REASON,
        "insert_reason": INSERT_REASON,
        "create_time": stamp,
        "close_time": stamp,
        **ORDER_END,
    }
)
TRADE = shape(
    {
        "trade_type": one_of(
            "normal", "block", "combo", "amend", "delete", "internal_transfer", "expiration", "rfq", "liquidation"
        ),
        "trade_id": identifier,
        "order_id": identifier,
        "instrument_name": text,
        "direction": SIDE,
        "price": number,
        "amount": positive,
        "label?": text,
        "time": stamp,
        "position_after": number,
        "session_realised_after": number,
        "position_pnl?": number,
        "perpetual_funding_pnl?": number,
        "fee": number,
        "fee_rate": number,
        "fee_basis": positive,
        "index": positive,
        "funding_mark?": number,
        "client_order_id?": integer,
        "maker_taker": one_of("maker", "taker"),
        "bot_id?": identifier,
        "leg_index": integer,
        "liquidation_fee?": positive,
    }
)
PORTFOLIO = array(
    shape(
        {
            "instrument_name": text,
            "position": number,
            "mark_price": number,
            "iv?": positive,
            "index": positive,
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
CASH: dict[str, Check] = {
    "currency": text,
    "balance": number,
    "collateral_factor": unsigned,
    "collateral_index_price": nullable(number),
    "transactable": flag,
}
TOTALS: dict[str, Check] = {
    "unrealised_pnl": number,
    "session_realised_pnl": number,
    "cash_collateral": number,
    "margin": number,
    "required_margin": unsigned,
    "remaining_margin": number,
}
ACCOUNT_SUMMARY = shape({"cash": array(shape(CASH)), **TOTALS})
BREAKDOWN_LINE = shape(
    {
        **dict.fromkeys(
            (
                "position",
                "mark_price",
                "start_price",
                "average_price",
                "unrealised_pnl_positional",
                "unrealised_pnl",
                "realised_position_pnl",
                "open_buy_amount",
                "open_sell_amount",
                "session_realised_pnl",
                "realised_perpetual_funding",
                "session_fees",
            ),
            number,
        ),
        "unrealised_pnl_perpetual?": number,
    }
)
CONDITIONAL = shape(
    {
        "order_id": identifier,
        "instrument_name": text,
        "direction": SIDE,
        "amount": positive,
        "target": one_of("last", "mark", "index"),
        "stop_price": number,
        "limit_price?": number,
        "bracket_price?": number,
        "trailing_stop_callback_rate?": positive,
        "label?": text,
        "status": one_of("created", "active", "converted", "rejected", "cancel requested", "cancelled"),
        "create_time": stamp,
        "update_time": stamp,
        "convert_time?": stamp,
        "converted_order_id?": identifier,
        "reject_reason?": text,
        "reduce_only": flag,
    }
)


def instrument_adds_up(instrument: dict[str, Any]) -> bool:
    """Expect that a type has its own fields and no others'."""
    kind = instrument["type"]
    assert ("option_type" in instrument) == ("strike_price" in instrument) == (kind == "option"), instrument
    assert ("expiry_date" in instrument) == ("expiration_timestamp" in instrument) == (kind != "perpetual"), instrument
    assert ("legs" in instrument) == (kind == "combination"), instrument
    assert instrument["min_order_amount"] >= instrument["volume_tick_size"], instrument
    assert instrument["product"] == ("O" if kind == "option" else "F") + instrument["underlying"], instrument
    return True


INSTRUMENT = all_of(
    shape(
        {
            "instrument_name": text,
            "product": text,
            "tick_size": positive,
            "volume_tick_size": positive,
            "min_order_amount": positive,
            "underlying": one_of("BTCUSD", "ETHUSD"),
            "type": TYPE,
            "option_type?": one_of("call", "put"),
            "expiry_date?": text,
            "expiration_timestamp?": integer,
            "strike_price?": positive,
            "base_currency": one_of("USD"),
            "legs?": array(shape({"instrument_name": text, "quantity": integer})),
            "create_time": stamp,
            "settlement_price?": number,
            "settlement_index_price?": positive,
        }
    ),
    instrument_adds_up,
)


def ticker_adds_up(ticker: dict[str, Any]) -> bool:
    for side in ("bid", "ask"):
        assert (ticker[f"best_{side}_price"] is None) == (ticker[f"best_{side}_amount"] is None), ticker
    if ticker["best_bid_price"] is not None and ticker["best_ask_price"] is not None:
        assert ticker["best_bid_price"] < ticker["best_ask_price"], f"crossed: {ticker}"
    assert ticker["collar_low"] <= ticker["collar_high"], ticker
    funding = {"funding_mark", "funding_rate", "realised_funding_24h", "average_funding_rate_24h"}
    assert len(funding & ticker.keys()) in (0, 4), ticker
    whole = {"last_price", "delta", "volume_24h", "value_24h", "change_24h", "forward", "open_interest"}
    assert len(whole & ticker.keys()) in (0, len(whole)), ticker  # none of them for a combination of legs
    return True


TICKER = all_of(
    shape(
        {
            "mark_price": number,
            "mark_timestamp": stamp,
            "best_bid_price": nullable(number),
            "best_bid_amount": nullable(positive),
            "best_ask_price": nullable(number),
            "best_ask_amount": nullable(positive),
            "last_price?": nullable(number),
            "iv?": positive,
            "delta?": number,
            "volume_24h?": unsigned,
            "value_24h?": number,
            "low_price_24h?": nullable(number),
            "high_price_24h?": nullable(number),
            "change_24h?": nullable(number),
            "index": positive,
            "forward?": number,
            "funding_mark?": number,
            "funding_rate?": number,
            "collar_low": number,
            "collar_high": number,
            "realised_funding_24h?": number,
            "average_funding_rate_24h?": number,
            "open_interest?": unsigned,
        }
    ),
    ticker_adds_up,
)
LEVEL = row(number, unsigned, unsigned)
LIGHT = shape({"b?": LEVEL, "a?": LEVEL, "l?": nullable(number), "m": number, "v?": positive})
BOOK = shape(
    {
        "trades": array(row(number, positive, SIDE, stamp, flag)),
        "bid_changes": array(LEVEL),
        "ask_changes": array(LEVEL),
        "total_bid_amount": unsigned,
        "total_ask_amount": unsigned,
        "time": stamp,
    }
)
INDEX = shape(
    {
        "index_name": one_of("BTCUSD", "ETHUSD"),
        "price": positive,
        "timestamp": stamp,
        "previous_settlement_price": positive,
        "expiration_progress?": unsigned,
        "expiration_print_average?": positive,
        "expected_expiration_price?": positive,
    }
)


def top(value: Any) -> bool:
    return value == [] or row(number, positive)(value)


FUTURE_ROW = row(stamp, number, positive, top, top, nullable(number))
PERPETUAL_ROW = row(stamp, number, positive, top, top, nullable(number), number, number)
OPTION_ROW = row(stamp, number, positive, positive, positive, top, top, nullable(number))


def future_or_perpetual(value: Any) -> bool:
    return FUTURE_ROW(value) or PERPETUAL_ROW(value)


INTEREST: dict[str, Check] = dict.fromkeys(("call", "put", "option", "future"), unsigned)
STATISTICS = shape(
    {
        **dict.fromkeys(
            ("trade_volume_24h", "option_volume_24h", "delta_one_volume_24h"),
            unsigned,
        ),
        **dict.fromkeys(("trade_value_24h", "option_value_24h", "delta_one_value_24h"), number),
        "open_interest": shape(
            {
                "expirations": array(shape({"expiration_timestamp": integer, "expiry_date": text, **INTEREST})),
                "totals": shape({**INTEREST, "delta_one": unsigned}),
            }
        ),
    }
)
RFQ_LEVEL = shape({"price": number, "amount": positive})
RFQ = shape(
    {
        "rfq_id": identifier,
        "amount": positive,
        "create_time": stamp,
        "legs": array(shape({"instrument_name": text, "quantity": integer, "fee_quantity": unsigned})),
        "label?": text,
        "insert_reason?": one_of("client_request", "liquidation"),
        "delete_reason?": one_of("client_cancel", "filled"),
        "volume_tick_size?": positive,
        "quoted_bid?": RFQ_LEVEL,
        "quoted_ask?": RFQ_LEVEL,
        "trade_price?": number,
        "trade_amount?": positive,
        "close_time?": stamp,
        "event?": one_of("Created", "Cancelled", "Traded", "Existing"),
    }
)
RFQ_ORDER = shape(
    {
        "rfq_id": identifier,
        "order_id": identifier,
        "client_order_id?": integer,
        "direction": SIDE,
        "price": number,
        "amount": positive,
        "label?": text,
        "trade_price?": number,
        "trade_amount?": positive,
        "delete_reason?": one_of(
            "client_cancel",
            "session_end",
            "instrument_deactivated",
            "mm_protection",
            "failover",
            "margin_breach",
            "filled",
        ),
        "event?": one_of("Inserted", "Amended", "Cancelled", "Filled", "Existing"),
    }
)
RFQ_TRADE = shape(
    {
        "rfq_id": identifier,
        "direction": SIDE,
        "price": number,
        "amount": positive,
        "legs": array(shape({"instrument_name": text, "direction": SIDE, "amount": positive})),
    }
)
BOT_START: dict[str, Check] = {
    "strategy": one_of("sgsl", "ocq", "levels", "grid", "dhedge", "dfollow"),
    "status": one_of("active", "stopped"),
    "stop_reason?": one_of(
        "client_cancel",
        "client_bulk_cancel",
        "end_time",
        "instrument_deactivated",
        "margin_breach",
        "admin_cancel",
        "conflict",
        "strategy",
        "self_trade_prevention",
    ),
    "bot_id": identifier,
    "instrument_name": text,
}
BOT_TERMS: dict[str, dict[str, Check]] = {
    "sgsl": {
        "signal": one_of("last", "index", "mark"),
        **dict.fromkeys(("entry_price", "target_position", "exit_price", "exit_position"), number),
    },
    "ocq": {
        "signal": one_of("index", "mark"),
        **dict.fromkeys(("bid_offset", "ask_offset", "quote_size", "min_position", "max_position"), number),
        **dict.fromkeys(("exit_offset?", "target_position?"), number),
    },
    "levels": {"bids": array(positive), "asks": array(positive)},
    "grid": {"grid": array(positive)},
    "dhedge": {"position?": text, "target_delta": number},
    "dfollow": {"target_instrument": text, "target_amount": number},
}
LADDER: dict[str, Check] = {
    **dict.fromkeys(("step_size", "base_position", "target_mean_price"), number),
    **dict.fromkeys(("upside_exit_price?", "downside_exit_price?"), positive),
}
DELTA: dict[str, Check] = {"period": positive, "threshold": unsigned, "tolerance?": unsigned}
BOT_END: dict[str, Check] = {
    "start_time": stamp,
    "end_time?": number,
    "realized_pnl": number,
    "fee": number,
    "label?": text,
}


def bot(value: Any) -> bool:
    """Check a Bot by its strategy; the order of what it was told is its own."""
    strategy = value["strategy"]
    more = {"levels": LADDER, "grid": LADDER, "dhedge": DELTA, "dfollow": DELTA}.get(strategy, {})
    fields = {**BOT_START, "max_slippage?": positive, **BOT_TERMS[strategy], **more, **BOT_END}
    names = [name.removesuffix("?") for name in fields]
    return shape(fields)({name: value[name] for name in names if name in value}) and value.keys() <= set(names)


NOTIFICATIONS = shape(
    {
        "notifications": array(
            shape(
                {
                    "id": identifier,
                    "time": stamp,
                    "category": text,
                    "title": text,
                    "message": text,
                    "display_type": one_of("success", "failure", "info", "warning", "critical"),
                    "read": flag,
                    "account_name?": text,
                    "account_number?": text,
                    "popup": flag,
                }
            )
        )
    }
)
UNDERLYING_MARGIN: dict[str, Check] = {
    "underlying": text,
    **dict.fromkeys(
        (
            "required_margin",
            "loss_margin",
            "roll_contingency_margin",
            "d1_roll_contingency_margin",
            "options_roll_contingency_margin",
            "options_contingency_margin",
        ),
        unsigned,
    ),
}
ORDER_MARGIN = shape({"required_margin": unsigned, "underlying": shape(UNDERLYING_MARGIN)})
INSTRUMENT_CHANGES = array(all_of(shape({"added?": INSTRUMENT, "removed?": INSTRUMENT}), lambda value: len(value) == 1))
PROTECTION = array(
    shape(
        {
            "product": text,
            "remaining_amount": number,
            "reason": one_of("refill", "executions", "client_cancel", "session_end", "failover"),
        }
    )
)

CHANNELS: dict[str, tuple[Check, bool]] = {  # first part of the name -> (payload, whether a snapshot comes first)
    "session.orders": (array(ORDER_STATUS), True),
    "account.orders": (array(ORDER_STATUS), True),
    "account.persistent_orders": (array(ORDER_STATUS), True),
    "account.portfolio": (PORTFOLIO, True),
    "account.summary": (ACCOUNT_SUMMARY, False),
    "account.trade_history": (array(TRADE), False),
    "account.order_history": (array(ORDER_HISTORY), False),
    "account.conditional_orders": (array(CONDITIONAL), False),
    "account.bots": (array(bot), False),
    "account.rfqs": (array(RFQ), True),
    "account.rfq_history": (array(RFQ), False),
    "mm.rfqs": (array(RFQ), True),
    "mm.rfq_quotes": (array(RFQ_ORDER), True),
    "user.inbox_notifications": (NOTIFICATIONS, False),
    "session.mm_protection": (PROTECTION, False),
    "ticker": (TICKER, False),
    "lwt": (LIGHT, False),
    "lwt_options": (shape({"tickers": mapping(OPTION_ROW)}), False),
    "lwt_futures": (shape({"tickers": mapping(future_or_perpetual)}), False),
    "lwt_future_rolls": (shape({"tickers": mapping(FUTURE_ROW)}), False),
    "book": (BOOK, True),
    "recent_trades": (array(row(number, positive, SIDE, stamp, text, flag)), True),
    "price_index": (INDEX, False),
    "instruments": (INSTRUMENT_CHANGES, True),
    "index_components": (shape({"index_price": positive, "components": mapping(positive)}), False),
    "base_price": (shape({"base_name": text, "price": positive, "index": positive, "index_delta": unsigned}), False),
    "underlying_statistics": (STATISTICS, False),
    "banners": (array(lambda _: True), False),
    "rfqs": (array(RFQ), True),
    "system": (shape({"event": one_of("reconnect")}), False),
}


def page(name: str, check: Check) -> Check:
    return shape({name: array(check), "bookmark": nullable(text)})


TOP_OF_BOOK = nullable(row(*[nullable(number)] * 4))
OHLC = [integer, number, number, number, number]


def mark_history(value: Any) -> bool:
    extra = {"perpetual": [number], "option": [number] * 4}.get(value["instrument_type"], [])
    rows = array(row(*OHLC, *extra, TOP_OF_BOOK))
    return shape({"instrument_type": TYPE, "mark": rows, "no_data?": one_of(True)})(value)


RESULTS: dict[str, Check] = {
    "public/login": shape({"account_number": text}),
    "private/set_cancel_on_disconnect": shape({"message_rate": integer}),
    "public/subscribe": array(text),
    "private/subscribe": array(text),
    "unsubscribe": array(text),
    "public/system_info": shape(
        {"environment": one_of("testnet", "production"), "api_version": text, "banners": array(lambda _: True)}
    ),
    "public/instruments": array(INSTRUMENT),
    "public/all_instruments": array(INSTRUMENT),
    "public/instrument": INSTRUMENT,
    "public/ticker": TICKER,
    "public/index": INDEX,
    "public/book": shape({"bids": array(LEVEL), "asks": array(LEVEL), "last?": nullable(number), "time": stamp}),
    "public/mark_price_historical_data": mark_history,
    "public/index_price_historical_data": shape({"index": array(row(*OHLC)), "no_data?": one_of(True)}),
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
    "private/account_breakdown": shape(
        {
            "account_number": text,
            "portfolio": array(lambda line: text(line.pop("instrument_name")) and BREAKDOWN_LINE(line)),
            "cash": array(shape({**CASH, "applied_collateral": number})),
            **TOTALS,
            **dict.fromkeys(("realised_position_pnl", "realised_perpetual_funding", "session_fees"), number),
        }
    ),
    "private/trade_history": page("trades", TRADE),
    "private/order_history": page("orders", ORDER_HISTORY),
    "private/daily_mark_history": page(
        "daily_marks",
        shape(
            {
                "time": stamp,
                "instrument_name": text,
                "mark_price": number,
                "position": number,
                "realized_position_pnl": number,
                "realized_funding_pnl?": number,
            }
        ),
    ),
    "private/transaction_history": page(
        "transactions",
        shape(
            {
                "time": stamp,
                "asset": text,
                "amount": number,
                "instrument_name?": text,
                "transaction_type": text,
                "description": text,
                "balance_after": number,
            }
        ),
    ),
    "private/conditional_order_history": page("orders", CONDITIONAL),
    "private/create_conditional_order": CONDITIONAL,
    "private/cancel_conditional_order": one_of(None),
    "private/cancel_all_conditional_orders": one_of(None),
    "private/open_conditional_orders": array(CONDITIONAL),
    "private/conditional_orders": array(CONDITIONAL),
    "private/mass_quote": shape(
        {
            "n_success": integer,
            "n_fail": integer,
            "errors": array(shape({"code": integer, "message": text, "side?": SIDE, "price?": number})),
        }
    ),
    "private/set_mm_protection": one_of(None),
    "private/cancel_mass_quote": one_of(None),
    "private/required_margin_breakdown": shape(
        {"portfolio": lambda value: unsigned(value["required_margin"]) and isinstance(value["underlyings"], list)}
    ),
    "private/required_margin_for_order": shape(dict.fromkeys(("current", "with_buy", "with_sell"), ORDER_MARGIN)),
    "private/create_rfq": RFQ,
    "private/cancel_rfq": one_of(None),
    "private/trade_rfq": RFQ_TRADE,
    "private/open_rfqs": array(RFQ),
    "private/rfq_history": page("rfqs", RFQ),
    "private/mm_rfqs": array(RFQ),
    "private/mm_rfq_insert_quote": RFQ_ORDER,
    "private/mm_rfq_amend_quote": RFQ_ORDER,
    "private/mm_rfq_delete_quote": one_of(None),
    "private/mm_rfq_quotes": array(RFQ_ORDER),
    "private/create_bot": bot,
    "private/cancel_bot": one_of(None),
    "private/cancel_all_bots": one_of(None),
    "private/bots": array(bot),
    "private/notifications_inbox": NOTIFICATIONS,
    "private/mark_inbox_notification_as_read": one_of(None),
    "private/verify_internal_transfer": shape(
        {
            **dict.fromkeys(
                (
                    "source_available_margin",
                    "source_required_margin",
                    "destination_available_margin",
                    "destination_required_margin",
                ),
                number,
            ),
            "error?": shape({"code": integer, "message": text}),
        }
    ),
    "private/internal_transfer": one_of(None),
    "private/crypto_deposits": shape({"confirmed": one_of([]), "unconfirmed": one_of([])}),
    "private/crypto_withdrawals": one_of([]),
    "private/btc_deposit_address": text,
    "private/eth_deposit_address": text,
}
