"""Lists of trades and positions of which some lines cannot be read."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import ProtocolError
from venues.thalex import account_wire
from venues.thalex.money_lists import PositionLists, TradeLists

OURS = frozenset({"X"})


def trade(trade_id: Any, **changed: Any) -> dict[str, Any]:
    return {
        "trade_id": trade_id, "order_id": "o", "instrument_name": "X", "direction": "buy", "price": 1, "amount": 1,
        "time": 1.0, "position_after": 1, "fee": 0, **changed,
    }  # fmt: skip


def position(name: str, **changed: Any) -> dict[str, Any]:
    return {"instrument_name": name, "position": 1, "mark_price": 2, **changed}


def payload(*lines: Any) -> bytes:
    return json.dumps(lines).encode()


UNREADABLE: tuple[dict[str, Any], ...] = (
    {"price": None}, {"position_after": None}, {"direction": "both"}, {"maker_taker": "auction"}, {"price": 1e30},
    {"amount": "NaN"}, {"leg_index": 1e308}, {"leg_index": -1},
)  # fmt: skip


@pytest.mark.parametrize("changed", UNREADABLE)
def test_a_trade_that_cannot_be_read_costs_no_other_and_is_told_once(changed: dict[str, Any]) -> None:
    told: list[tuple[str, str]] = []
    lists = TradeLists(lambda name, reason: told.append((name, reason)))
    lines = (trade("1"), trade("2", **changed), trade("3"))
    for _ in range(2):
        assert [one.trade_id for one in lists.trades(payload(*lines))] == ["1", "3"]
        trades, bookmark = lists.page(json.dumps({"trades": lines, "bookmark": "b"}).encode())
        assert ([one.trade_id for one in trades], bookmark) == (["1", "3"], "b")
    ((name, reason),) = told
    assert name == "X"
    assert reason.startswith("trade 2 in X: ")


def test_each_trade_that_cannot_be_read_is_told_whatever_else_is_wrong_with_its_line() -> None:
    told: list[tuple[str, str]] = []
    lists = TradeLists(lambda name, reason: told.append((name, reason)))
    bad: dict[str, Any] = {"price": None}
    without_id = {key: value for key, value in trade("", **bad).items() if key != "trade_id"}
    lines = (
        trade("1", **bad), trade("1", order_id="p", **bad), trade("1", leg_index=1, **bad),
        trade("1", trade_type="delete", **bad), trade("1", trade_type="amend", **bad),
        trade(1, **bad), trade(2), trade(3), trade(None), trade(None, amount=2), without_id, without_id | {"amount": 2},
        trade("7", order_id=8), trade("7", order_id=9),
    )  # fmt: skip
    for _ in range(3):
        assert lists.trades(payload(*lines)) == []
    assert [name for name, _ in told] == ["X"] * len(lines)
    assert told[0][1].startswith("trade 1 in X: ")
    assert told[6][1].startswith("trade 2 in X: ")


def test_unreadable_trades_are_told_however_many_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("venues.thalex.money_lists.TOLD_MAX", 10)
    told: list[str] = []
    lists = TradeLists(lambda _, reason: told.append(reason))
    for number in range(35):
        for _ in range(2):
            lists.trades(payload(trade(str(number), price=None)))
    assert len(told) == 35
    assert len(lists._told) <= 10


def test_a_line_that_names_no_instrument_may_be_ours() -> None:
    told: list[str] = []
    lists = TradeLists(lambda name, _: told.append(name))
    assert len(lists.trades(b"[7, " + payload(trade("1"))[1:])) == 1
    assert told == [""]


def test_a_page_of_which_nothing_can_be_read_is_not_the_last() -> None:
    page = json.dumps({"trades": [trade("1", price=None)], "bookmark": "b"}).encode()
    assert TradeLists().page(page) == ([], "b")
    assert TradeLists().page(b'{"trades":[],"bookmark":"b"}') == ([], "")


@pytest.mark.parametrize("junk", [b"{}", b"[{", b'{"trades": 7}'])
def test_what_is_no_list_of_trades_is_refused(junk: bytes) -> None:
    with pytest.raises(ProtocolError):
        TradeLists().trades(junk)
    with pytest.raises(ProtocolError):
        TradeLists().page(junk)


def test_a_trade_without_a_fee_or_a_leg_is_read() -> None:
    (one,) = account_wire.decode_trades(payload(trade("1", fee=None, leg_index=None)))
    assert (one.fee, one.leg_index) == (Decimal(0), 0)


@pytest.mark.parametrize("changed", [{"position": None}, {"position": "NaN"}, {"mark_price": 1e30}])
def test_an_unreadable_position_is_left_out_unless_it_is_of_ours(changed: dict[str, Any]) -> None:
    told: list[str] = []
    lists = PositionLists(OURS, told.append)
    for _ in range(2):
        found = lists.all(payload(position("X"), position("Y", **changed)))
        assert [one.instrument_name for one in found] == ["X"]
    assert lists.left_out == {"Y"}
    assert len(told) == 1
    # what can be read again is known again
    lists.changed(payload(position("Y")))
    assert lists.left_out == set()
    with pytest.raises(ProtocolError, match="position in X, which may be ours"):
        lists.all(payload(position("X", **changed), position("Y")))
    with pytest.raises(ProtocolError):
        PositionLists().all(payload(position("X"), position("Y", **changed)))
