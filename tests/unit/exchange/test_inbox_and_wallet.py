"""What the venue writes to an account's owner, and transfers between accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exchange.core.orders import Side

PERPETUAL = "BTC-PERPETUAL"
INVALID, MARGIN, FUNDS, UNAUTHORIZED, UNKNOWN_METHOD, UNKNOWN_ASSET = 6, 24, 27, 28, 31, 39


def long_position(desk: Any, trader: Any, amount: float = 0.5) -> None:
    desk.rest(Side.SELL, 100_000, 1_000)
    trader.result("private/buy", instrument_name=PERPETUAL, amount=amount, price=100_000)


def test_a_margin_breach_is_told_once_and_can_be_marked_as_read(desk: Any, trader: Any) -> None:
    trader.result("private/subscribe", channels=["user.inbox_notifications"])
    assert trader.result("private/notifications_inbox") == {"notifications": []}
    desk.rest(Side.BUY, 99_000, 1_000)
    long_position(desk, trader, 0.5)
    desk.a.cash = Decimal(9_000)  # 10,000 are required, 7,000 to keep the position
    for _ in range(3):
        desk.engine.tick(1.0)
    (told,) = trader.notes("user.inbox_notifications")
    (notification,) = told["notification"]["notifications"]
    assert (notification["category"], notification["display_type"], notification["read"]) == ("risk", "warning", False)
    assert notification["account_number"] == "A1"
    assert trader.result("private/notifications_inbox", limit=5) == {"notifications": [notification]}
    assert trader.result("private/mark_inbox_notification_as_read", notification_id=notification["id"]) is None
    assert trader.notes("user.inbox_notifications")[-1]["notification"]["notifications"][0]["read"] is True
    assert trader.error("private/mark_inbox_notification_as_read", notification_id="00") == INVALID


def test_a_transfer_moves_cash_and_positions_at_the_mark(desk: Any, trader: Any) -> None:
    long_position(desk, trader)
    equity = {account.number: desk.engine.equity(account) for account in (desk.a, desk.b)}
    transfer = {
        "destination_account_number": "A2",
        "assets": [{"asset_name": "USDT", "amount": 1_000}],
        "positions": [{"instrument_name": PERPETUAL, "amount": 0.2}],
    }
    before = trader.result("private/verify_internal_transfer", **transfer)
    assert "error" not in before
    assert before["destination_required_margin"] == 4_000
    assert desk.a.position_lots(desk.perpetual) == 500  # asking moves nothing
    assert trader.result("private/internal_transfer", **transfer, label="move") is None
    assert (desk.a.position_lots(desk.perpetual), desk.b.position_lots(desk.perpetual)) == (300, 200)
    assert desk.engine.equity(desk.a) == equity["A1"] - 1_000
    assert desk.engine.equity(desk.b) == equity["A2"] + 1_000
    trade = trader.result("private/trade_history")["trades"][0]
    assert (trade["trade_type"], trade["direction"], trade["fee"], trade["label"]) == (
        "internal_transfer",
        "sell",
        0,
        "move",
    )
    (line,) = trader.result("private/transaction_history")["transactions"]
    assert (line["transaction_type"], line["amount"]) == ("internal transfer", -1_000)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"destination_account_number": "A9"}, INVALID),
        ({"destination_account_number": "A1"}, INVALID),
        ({"assets": []}, INVALID),
        ({"assets": [{"asset_name": "BTC", "amount": 1}]}, UNKNOWN_ASSET),
        ({"assets": [{"asset_name": "USDT", "amount": 100_001}]}, FUNDS),
        ({"assets": [{"asset_name": "USDT", "amount": 95_000}]}, MARGIN),
        ({"positions": [{"instrument_name": "BTC-NOPE", "amount": 1}]}, 5),
    ],
)
def test_a_transfer_that_can_not_be_is_refused(desk: Any, trader: Any, fields: Any, code: int) -> None:
    long_position(desk, trader)
    cash = (desk.a.cash, desk.b.cash)
    transfer = {"destination_account_number": "A2", "assets": [{"asset_name": "USDT", "amount": 1}], **fields}
    assert trader.error("private/internal_transfer", **transfer) == code
    assert (desk.a.cash, desk.b.cash) == cash
    if code in (FUNDS, MARGIN):
        assert trader.result("private/verify_internal_transfer", **transfer)["error"]["code"] == code


def test_the_wallet_is_empty_and_gives_nothing_away(desk: Any, trader: Any) -> None:
    assert trader.result("private/crypto_deposits") == {"confirmed": [], "unconfirmed": []}
    assert trader.result("private/crypto_withdrawals") == []
    assert trader.result("private/btc_deposit_address").startswith("tb1")
    assert len(trader.result("private/eth_deposit_address")) == 42
    ask = {"asset_name": "USDT", "amount": 1, "target_address": "0x0"}
    assert trader.error("private/verify_withdrawal", **ask) == UNAUTHORIZED
    assert trader.error("private/withdraw", **ask) == UNAUTHORIZED
    # the official client asks with the wrong prefix, and the venue knows no such method
    assert trader.error("public/crypto_deposits") == UNKNOWN_METHOD
