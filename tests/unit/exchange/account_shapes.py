"""Orders, trades, positions, margins and messages of an account, as the documentation shows them."""

from __future__ import annotations

from typing import Any

from tests.unit.exchange.shape_language import (
    SIDE,
    Check,
    all_of,
    array,
    flag,
    identifier,
    integer,
    nullable,
    number,
    one_of,
    positive,
    shape,
    stamp,
    text,
    unsigned,
)

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
PROTECTION = array(
    shape(
        {
            "product": text,
            "remaining_amount": number,
            "reason": one_of("refill", "executions", "client_cancel", "session_end", "failover"),
        }
    )
)
