"""Requests for quote and bots, as the documentation shows them."""

from __future__ import annotations

from typing import Any

from tests.unit.exchange.shape_language import (
    SIDE,
    Check,
    array,
    identifier,
    integer,
    number,
    one_of,
    positive,
    shape,
    stamp,
    text,
    unsigned,
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
