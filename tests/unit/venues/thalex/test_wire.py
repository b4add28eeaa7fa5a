from __future__ import annotations

import json
import math
from decimal import Decimal

import pytest

from domain.errors import ProtocolError, Refusal
from domain.instrument import InstrumentKind
from domain.order import LiquiditySide, OrderType, Side, TimeInForce, VenueOrderStatus
from domain.reports import SettlementReport
from venues.gateway import NewOrder
from venues.thalex import account_wire, market_wire, wire


def _order(**changes: object) -> NewOrder:
    fields: dict[str, object] = {
        "client_order_id": 100,
        "instrument_name": "BTC-PERPETUAL",
        "side": Side.BUY,
        "price": Decimal("99975.0"),
        "size": Decimal("0.20"),
    }
    return NewOrder(**{**fields, **changes})  # type: ignore[arg-type]


# ---- requests ----------------------------------------------------------------------------------------


def test_a_limit_order_is_written_with_exact_numbers():
    frame = wire.encode_insert(7, _order(label="rm-local", post_only=True, reduce_only=True))
    message = json.loads(frame, parse_float=Decimal)
    assert message == {
        "method": "private/insert",
        "id": 7,
        "params": {
            "direction": "buy",
            "instrument_name": "BTC-PERPETUAL",
            "amount": Decimal("0.2"),
            "client_order_id": 100,
            "price": 99975,
            "label": "rm-local",
            "post_only": True,
            "reduce_only": True,
        },
    }


def test_a_market_order_has_no_price_and_says_how_long_it_lives():
    order = _order(
        side=Side.SELL,
        price=None,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
    )
    params = json.loads(wire.encode_insert(1, order))["params"]
    assert params == {
        "direction": "sell",
        "instrument_name": "BTC-PERPETUAL",
        "amount": 0.2,
        "client_order_id": 100,
        "order_type": "market",
        "time_in_force": "immediate_or_cancel",
    }


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"client_order_id": 0}, "client_order_id 0"),
        ({"client_order_id": 2**53}, "client_order_id"),
        ({"label": "no spaces"}, "no spaces"),
        ({"label": "x" * 65}, "label"),
        ({"label": "rm.local"}, "rm.local"),
        ({"instrument_name": 'X","amount":9'}, "instrument name"),
        ({"size": Decimal(0)}, "size"),
        ({"size": Decimal("NaN")}, "size"),
        ({"price": None}, "price"),
        ({"price": Decimal("Infinity")}, "price"),
    ],
)
def test_an_order_that_cannot_be_sent_is_named(changes: dict[str, object], told: str):
    with pytest.raises(ValueError, match=told):
        wire.encode_insert(1, _order(**changes))


def test_amend_and_cancel_name_the_order():
    assert json.loads(wire.encode_amend(8, 100, Decimal("1E+2"), Decimal("0.050"))) == {
        "method": "private/amend",
        "id": 8,
        "params": {"client_order_id": 100, "price": 100, "amount": 0.05},
    }
    assert json.loads(wire.encode_cancel(9, 100))["params"] == {"client_order_id": 100}
    assert json.loads(wire.encode_cancel_order(9, '00"1'))["params"] == {"order_id": '00"1'}
    with pytest.raises(ValueError, match="NaN"):
        wire.encode_amend(1, 1, Decimal("NaN"), Decimal(1))


def test_decimals_of_any_request_are_numbers():
    frame = wire.encode_request("private/trade_history", 1, {"time_low": Decimal("1795223038.660001")})
    assert b'"time_low":1795223038.660001' in frame


# ---- envelopes ---------------------------------------------------------------------------------------


def test_a_void_result_is_told_from_no_result():
    assert bytes(wire.decode_envelope(b'{"id":4,"result":null}').result) == wire.NULL
    assert bytes(wire.decode_envelope(b'{"id":4,"error":{"code":1,"message":"m"}}').result) == b""


def test_keys_may_come_in_any_order_and_unknown_ones_are_ignored():
    frame = b'{"extra":[1,{"a":2}],"snapshot":true,"notification":[],"channel_name":"account.portfolio"}'
    envelope = wire.decode_envelope(frame)
    assert (envelope.channel_name, envelope.snapshot, bytes(envelope.notification)) == (
        "account.portfolio",
        True,
        b"[]",
    )


@pytest.mark.parametrize(
    ("frame", "refusal"),
    [
        (b"", Refusal.JSON),
        (b"{", Refusal.JSON),
        (b"{}{}", Refusal.JSON),
        (b"\xff\xfe", Refusal.JSON),
        (b'{"channel_name":"\xff"}', Refusal.JSON),
        (b"[]", Refusal.TYPE),
        (b"null", Refusal.TYPE),
        (b"7", Refusal.TYPE),
        (b'{"channel_name":5}', Refusal.TYPE),
        (b'{"id":1,"error":7}', Refusal.TYPE),
        (b'{"id":1e400,"result":1}', Refusal.TYPE),
        (b'{"id":1}', Refusal.ENVELOPE),
        (b'{"result":' + b"[" * 100_000, Refusal.DEPTH),
    ],
)
def test_a_malformed_frame_is_refused_for_a_reason(frame: bytes, refusal: Refusal):
    with pytest.raises(ProtocolError) as refused:
        wire.decode_envelope(frame)
    assert refused.value.refusal is refusal


def test_a_reason_does_not_repeat_megabytes_of_the_frame():
    with pytest.raises(ProtocolError) as refused:
        market_wire.decode_trades(b'[[1,1,"' + b"x" * 10_000_000 + b'",1]]')
    assert len(str(refused.value)) <= wire.REASON_CHARS_MAX


# ---- account -----------------------------------------------------------------------------------------

ORDER = b"""{"order_id":"001BF14D00000003","order_type":"limit","time_in_force":"good_till_cancelled",
"instrument_name":"BTC-PERPETUAL","direction":"buy","price":99975.10000000000001,"amount":0.2,
"filled_amount":0.05,"remaining_amount":0.15,"label":"P","client_order_id":100,"status":"partially_filled",
"fills":[{"trade_id":"T1","price":99975,"amount":0.05,"time":1795223049.2,"maker_taker":"maker",
"leg_index":0}],"change_reason":"fill","insert_reason":"client_request","create_time":1795223048.150001,
"persistent":false}"""


def test_an_order_is_read_exactly():
    report = account_wire.decode_order(ORDER)
    assert report.price == Decimal("99975.10000000000001")
    assert (report.side, report.status) == (Side.BUY, VenueOrderStatus.PARTIALLY_FILLED)
    assert (report.size, report.filled_size, report.remaining_size) == (
        Decimal("0.2"),
        Decimal("0.05"),
        Decimal("0.15"),
    )
    assert report.create_time_ns == 1_795_223_048_150_001_000
    assert (report.client_order_id, report.label, report.change_reason) == (100, "P", "fill")
    (fill,) = report.fills
    assert fill.key == ("T1", "001BF14D00000003", 0)
    assert (fill.price, fill.size, fill.liquidity_side) == (Decimal(99975), Decimal("0.05"), LiquiditySide.MAKER)
    assert fill.time_ns == 1_795_223_049_200_000_000


def test_a_market_order_and_a_combo_lack_fields_and_are_read():
    report = account_wire.decode_order(
        b'{"order_id":"1","direction":"sell","amount":1,"status":"filled","filled_amount":1,"legs":[],"label":null}'
    )
    assert (report.price, report.client_order_id, report.instrument_name, report.label) == (None, None, "", "")
    assert report.remaining_size == 0


def test_a_cancelled_order_has_nothing_remaining_whatever_the_venue_writes():
    text = ORDER.replace(b"partially_filled", b"cancelled_partially_filled")
    assert account_wire.decode_order(text).remaining_size == 0


@pytest.mark.parametrize(
    ("old", "new"), [(b'"buy"', b'"up"'), (b"partially_filled", b"pending"), (b'"maker"', b'"auction"')]
)
def test_a_word_that_we_do_not_know_is_a_protocol_error(old: bytes, new: bytes):
    with pytest.raises(ProtocolError, match="is not one of"):
        account_wire.decode_order(ORDER.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"amount":0.2', b'"amount":"NaN"'),
        (b'"price":99975.10000000000001', b'"price":"Infinity"'),
        (b'"create_time":1795223048.150001', b'"create_time":1e999999'),
        (b'"T1"', b'"\xff"'),
    ],
)
def test_numbers_that_are_none_are_a_protocol_error(old: bytes, new: bytes):
    assert old in ORDER
    with pytest.raises(ProtocolError):
        account_wire.decode_order(ORDER.replace(old, new))


TRADE = b"""{"trade_type":"normal","trade_id":"T9","order_id":"O1","instrument_name":"BTC-PERPETUAL",
"direction":"sell","price":99975,"amount":0.05,"label":"P","time":1795223049.2,"position_after":-0.05,
"session_realised_after":-0.5,"position_pnl":1.25,"perpetual_funding_pnl":-0.01,"fee":0.499,"fee_rate":0.0001,
"fee_basis":100031.2,"index":100031.2,"funding_mark":-12.4,"maker_taker":"maker","leg_index":0}"""


def test_a_page_of_trades_is_read_with_its_bookmark():
    trades, bookmark = account_wire.decode_trade_page(b'{"trades":[' + TRADE + b'],"bookmark":"next"}')
    assert bookmark == "next"
    (trade,) = trades
    assert (trade.side, trade.fee, trade.position_after) == (Side.SELL, Decimal("0.499"), Decimal("-0.05"))
    assert (trade.realised_pnl, trade.funding_pnl) == (Decimal("1.25"), Decimal("-0.01"))
    assert trade.key == ("T9", "O1", 0)
    assert account_wire.decode_trade_page(b'{"trades":[],"bookmark":null}') == ([], "")


@pytest.mark.parametrize(
    ("trade_type", "is_correction"),
    [("amend", True), ("delete", True), ("normal", False), ("liquidation", False), ("expiration", False)],
)
def test_a_trade_that_amends_or_takes_back_another_is_no_fill(trade_type: str, is_correction: bool) -> None:
    (trade,) = account_wire.decode_trades(b"[" + TRADE.replace(b"normal", trade_type.encode()) + b"]")
    assert trade.is_correction is is_correction


def test_a_trade_whose_type_is_null_is_a_fill() -> None:
    (trade,) = account_wire.decode_trades(b"[" + TRADE.replace(b'"normal"', b"null") + b"]")
    assert (trade.trade_id, trade.is_correction) == ("T9", False)


def test_a_page_of_daily_settlements_is_read_with_its_bookmark():
    # Given a line of a perpetual, and one of a future, which has no funding
    payload = b"""{"daily_marks":[{"time":1774944000.0117314,"instrument_name":"ETH-PERPETUAL",
    "mark_price":2054.85061184,"position":0.01,"realized_position_pnl":-0.03551134,"realized_funding_pnl":-0.00530228},{"time":1774944000.0117314,
    "instrument_name":"BTC-25DEC26","mark_price":48100,"position":-0.5,"realized_position_pnl":-405}],"bookmark":"b"}"""
    (perpetual, future), bookmark = account_wire.decode_daily_mark_page(payload)
    assert perpetual == SettlementReport(
        "ETH-PERPETUAL", Decimal("0.01"), Decimal("2054.85061184"), Decimal("-0.03551134"), Decimal("-0.00530228"),
        1_774_944_000_011_731_400,
    )  # fmt: skip
    assert (future.position, future.funding_pnl, bookmark) == (Decimal("-0.5"), 0, "b")
    assert account_wire.decode_daily_mark_page(b'{"daily_marks":[],"bookmark":null}') == ([], "")
    with pytest.raises(ProtocolError):
        account_wire.decode_daily_mark_page(payload.replace(b"-0.00530228", b'"NaN"'))


def test_a_liquidation_fee_is_part_of_the_fee():
    (trade,) = account_wire.decode_trades(b"[" + TRADE.replace(b'"fee":0.499', b'"fee":0.5,"liquidation_fee":2') + b"]")
    assert trade.fee == Decimal("2.5")


def test_positions_are_read_and_missing_money_is_zero():
    (full,) = account_wire.decode_positions(
        b'[{"instrument_name":"BTC-PERPETUAL","position":-0.2,"mark_price":100050.5,"index":100031.2,'
        b'"start_price":99975,"average_price":99975.5,"unrealised_pnl":15.1,"realised_pnl":-2,"entry_value":19995,'
        b'"unrealised_perpetual_funding":0.01}]'
    )
    assert (full.position, full.average_price, full.unrealised_funding) == (
        Decimal("-0.2"),
        Decimal("99975.5"),
        Decimal("0.01"),
    )
    (short,) = account_wire.decode_positions(b'[{"instrument_name":"X","position":0}]')
    assert (short.position, short.realised_pnl) == (0, 0)


# ---- market data -------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["[]", "[100]", "[100,1e400]", '[100,"1"]', "{}", "null"])
def test_a_level_without_price_and_size_is_refused(level: str):
    with pytest.raises(ProtocolError) as refused:
        market_wire.decode_book(b'{"bid_changes":[[99,1,1],%s]}' % level.encode())
    assert refused.value.refusal is Refusal.TYPE


def test_a_ticker_may_lack_anything():
    ticker = market_wire.decode_ticker(b'{"best_bid_price":null,"mark_price":1.5,"iv":0.3}')
    assert ticker.mark_price == 1.5
    assert math.isnan(market_wire.number(ticker.best_bid_price))
    assert math.isnan(market_wire.number(ticker.funding_rate))


def test_venue_seconds_become_nanoseconds_to_the_microsecond():
    assert market_wire.stamp_ns(1795223038.66) == 1_795_223_038_660_000_000
    assert [market_wire.stamp_ns(nonsense) for nonsense in (0.0, -1.0, 1e300)] == [0, 0, 0]


def test_instruments_are_read_exactly_and_unknown_kinds_left_out():
    found = market_wire.decode_instruments(
        b'[{"instrument_name":"ETH-PERPETUAL","product":"FETHUSD","tick_size":0.1,"volume_tick_size":0.01,'
        b'"min_order_amount":0.02,"underlying":"ETHUSD","type":"perpetual","base_currency":"USD"},'
        b'{"instrument_name":"BTC-25DEC26","tick_size":1,"min_order_amount":0.001,"underlying":"BTCUSD",'
        b'"type":"future","expiration_timestamp":1798185600},'
        b'{"instrument_name":"N","tick_size":1,"min_order_amount":1,"underlying":"U","type":"novelty"}]'
    )
    assert set(found) == {"ETH-PERPETUAL", "BTC-25DEC26"}
    perpetual = found["ETH-PERPETUAL"]
    assert (perpetual.tick_size, perpetual.lot_size, perpetual.order_lots_min) == (Decimal("0.1"), Decimal("0.01"), 2)
    future = found["BTC-25DEC26"]
    assert (future.kind, future.lot_size) == (InstrumentKind.FUTURE, Decimal("0.001"))
    assert future.expiry_ns == 1_798_185_600 * 10**9


READABLE = '{"instrument_name":"BTC-PERPETUAL","type":"perpetual","underlying":"U","tick_size":1,"volume_tick_size":1}'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"tick_size":1', '"tick_size":0'),
        ('"tick_size":1', '"tick_size":-1'),
        ('"tick_size":1', '"tick_size":1e300'),
        ('"volume_tick_size":1', '"volume_tick_size":1e-300'),
        ('"volume_tick_size":1', '"volume_tick_size":1,"min_order_amount":1e308'),
        ('"volume_tick_size":1', '"volume_tick_size":1,"min_order_amount":"NaN"'),
        ('"volume_tick_size":1', '"volume_tick_size":1,"min_order_amount":"-Infinity"'),
        ('"perpetual"', '"perpetual swap"'),
    ],
)
def test_an_instrument_with_steps_that_are_none_is_refused(old: str, new: str):
    payload = READABLE.replace(old, new).encode()
    assert market_wire.decode_instruments(b"[" + payload + b"]") == {}
    (change,) = market_wire.decode_instrument_changes(b'[{"added":' + payload + b"}]")
    assert change.added is not None
    with pytest.raises(ProtocolError) as refused:
        market_wire.instrument_of(change.added)
    assert refused.value.refusal is Refusal.VALUE


def test_a_book_of_more_levels_than_the_loop_can_take_is_refused():
    levels = b",".join(b"[%d,1]" % i for i in range(market_wire.LEVELS_MAX + 1))
    with pytest.raises(ProtocolError):
        market_wire.decode_book(b'{"bid_changes":[' + levels + b"]}")


def test_public_trades_are_tuples():
    trades = market_wire.decode_trades(b'[[100051,0.3,"buy",1795223039.01,"BTC-PERPETUAL",false]]')
    assert (trades[0].price, trades[0].size, trades[0].aggressor) == (100051.0, 0.3, "buy")


NEW_KINDS = (
    '{"instrument_name":"BTC-PREDICTION-1","type":"prediction"}',
    '{"instrument_name":"BTC-X","type":"perpetual","underlying":"BTCUSD","tick_size":null}',
    "7",
)


@pytest.mark.parametrize("new", NEW_KINDS)
def test_an_instrument_without_the_fields_we_know_hides_no_other(new: str) -> None:
    assert list(market_wire.decode_instruments(f"[{new},{READABLE}]".encode())) == ["BTC-PERPETUAL"]


@pytest.mark.parametrize("new", NEW_KINDS)
def test_a_change_of_an_instrument_that_we_cannot_read_hides_no_other(new: str) -> None:
    payload = f'[{{"added":{new}}},{{"removed":{{"instrument_name":"BTC-PERPETUAL"}}}}]'
    changes = market_wire.decode_instrument_changes(payload.encode())
    assert [change.removed.instrument_name for change in changes if change.removed] == ["BTC-PERPETUAL"]
