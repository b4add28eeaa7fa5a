"""The documented protocol: what each result and each channel's payload must look like.

Written from the documentation alone, with no code of the exchange.
"""

from __future__ import annotations

from tests.unit.exchange.account_shapes import (
    ACCOUNT_SUMMARY,
    BREAKDOWN_LINE,
    CASH,
    CONDITIONAL,
    NOTIFICATIONS,
    ORDER_HISTORY,
    ORDER_MARGIN,
    ORDER_STATUS,
    PORTFOLIO,
    PROTECTION,
    TOTALS,
    TRADE,
)
from tests.unit.exchange.market_shapes import (
    BOOK,
    FUTURE_ROW,
    INDEX,
    INSTRUMENT,
    INSTRUMENT_CHANGES,
    LEVEL,
    LIGHT,
    OHLC,
    OPTION_ROW,
    STATISTICS,
    TICKER,
    future_or_perpetual,
    mark_history,
)
from tests.unit.exchange.service_shapes import RFQ, RFQ_ORDER, RFQ_TRADE, bot
from tests.unit.exchange.shape_language import (
    SIDE,
    Check,
    array,
    flag,
    integer,
    mapping,
    nullable,
    number,
    one_of,
    positive,
    row,
    shape,
    stamp,
    text,
    unsigned,
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
