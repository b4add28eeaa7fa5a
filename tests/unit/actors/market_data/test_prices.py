"""Tickers of both kinds, indices and forward prices: what the venue sends lands in its record."""

from __future__ import annotations

import math

from runtime.session import SessionSegments
from shm.record import TableReader
from tests.market_rig import BTC, INSTRUMENTS, Market

FUTURE_EXPIRY_S = 1_798_185_600  # 2026-12-25 08:00 UTC
FORWARD = "BTCUSD.2026-12-25"
INDEX = {"index_name": "BTCUSD", "price": 100031.2, "timestamp": 1795223038.5, "previous_settlement_price": 99000.5}


def _future_market(segments: SessionSegments, **venue: object) -> Market:
    """Return a market whose first instrument expires, and all channels that it asked for."""
    made = Market(segments, **venue)
    made.attach()
    expiring = {"type": "future", "expiration_timestamp": FUTURE_EXPIRY_S}
    made.connect([{**INSTRUMENTS[BTC], **expiring}, INSTRUMENTS[1]])
    return made


def _extra_channels(market: Market) -> list[str]:
    (request,) = [sent for sent in market.sent if "system" in sent["params"].get("channels", [])]
    channels: list[str] = request["params"]["channels"]
    return channels


def test_a_full_ticker_fills_every_field_of_its_record(market: Market):
    market.notify("ticker.BTC-PERPETUAL.raw", {
        "mark_price": 1.0, "index": 2.0, "last_price": 3.0, "best_bid_price": 4.0, "best_bid_amount": 5.0,
        "best_ask_price": 6.0, "best_ask_amount": 7.0, "funding_rate": 8.0, "collar_low": 9.0, "collar_high": 10.0,
        "open_interest": 11.0, "forward": 12.0, "funding_mark": -13.0, "iv": 0.14, "delta": 15.0,
        "mark_timestamp": 1795223038.66,
    })  # fmt: skip
    (record,) = market.tickers.read()
    names = (
        "mark_price", "index_price", "last_price", "best_bid_price", "best_bid_size", "best_ask_price",
        "best_ask_size", "funding_rate", "collar_low", "collar_high", "open_interest", "forward_price",
        "funding_mark", "mark_volatility", "delta",
    )  # fmt: skip
    assert [record[name] for name in names] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, -13, 0.14, 15]
    assert record["exchange_time_ns"] == 1_795_223_038_660_000_000


def test_a_side_that_a_ticker_calls_null_is_nan(market: Market):
    market.notify("ticker.BTC-PERPETUAL.raw", {"mark_price": 1.0, "best_bid_price": None, "best_ask_price": 6.0})
    (record,) = market.tickers.read()
    assert math.isnan(record["best_bid_price"])
    assert (record["mark_price"], record["best_ask_price"]) == (1.0, 6.0)
    assert record["exchange_time_ns"] == 0


def test_a_light_ticker_is_a_ticker_with_less_in_it(segments: SessionSegments):
    market = Market(segments, ticker_channel="lwt", ticker_delay="500ms")
    market.attach()
    assert "lwt.BTC-PERPETUAL.500ms" in market.connect()
    market.notify("price_index.BTCUSD", INDEX)
    market.notify("lwt.BTC-PERPETUAL.500ms", {"b": [100049, 0.4, 0.4], "a": [], "l": 100050, "m": 100050.5, "v": 0.3})
    (record,) = market.tickers.read()
    assert (record["best_bid_price"], record["best_bid_size"]) == (100049.0, 0.4)
    assert (record["mark_price"], record["last_price"], record["mark_volatility"]) == (100050.5, 100050.0, 0.3)
    assert record["index_price"] == 100031.2  # lwt has none: from the index channel
    assert math.isnan(record["best_ask_price"])
    assert math.isnan(record["funding_rate"])
    market.notify("lwt.BTC-PERPETUAL.500ms", {"b": [100049]})
    assert market.counters.values()["bad_frames_value"] == 1


def test_an_index_is_a_record_of_its_own(market: Market):
    market.notify("price_index.BTCUSD", INDEX)
    (record,) = market.indices.read()
    assert (record["name"], record["kind"], record["price"]) == (b"BTCUSD", 1, 100031.2)
    assert record["previous_settlement_price"] == 99000.5
    assert record["exchange_time_ns"] == 1_795_223_038_500_000_000
    assert math.isnan(record["expected_expiration_price"])
    assert market.index_table.snapshot(0)[0]["price"] == 100031.2


def test_the_print_of_an_expiring_index_is_told(market: Market):
    printing = {**INDEX, "expiration_progress": 0.5, "expected_expiration_price": 100020.0}
    market.notify("price_index.BTCUSD", printing)
    (record,) = market.indices.read()
    assert (record["expiration_progress"], record["expected_expiration_price"]) == (0.5, 100020.0)


def test_an_index_without_meaning_is_refused(market: Market):
    market.notify("price_index.BTCUSD", {**INDEX, "price": 0})
    assert market.counters.values()["bad_frames_type"] == 1
    assert len(market.indices.read()) == 0


def test_indices_beside_those_of_the_instruments_are_followed_when_asked(segments: SessionSegments):
    market = _future_market(segments, extra_underlyings=["SOLUSD", "BTCUSD"])
    assert _extra_channels(market) == [
        "system", "instruments", "price_index.BTCUSD", "price_index.ETHUSD", "price_index.SOLUSD",
    ]  # fmt: skip
    market.notify("price_index.SOLUSD", {"index_name": "SOLUSD", "price": 150.0})
    market.notify("price_index.BTCUSD", INDEX)
    names = [bytes(market.index_table.snapshot(row)[0]["name"]) for row in (0, 1)]
    assert names == [b"SOLUSD", b"BTCUSD"]


def test_a_forward_price_reaches_its_record_and_the_tickers_of_its_expiry(segments: SessionSegments):
    market = _future_market(segments, forward_prices=True)
    assert f"base_price.{FORWARD}" in _extra_channels(market)
    forward = {"base_name": "BTC-25DEC26", "price": 101200.4, "index": 100031.2, "index_delta": 1}
    market.notify(f"base_price.{FORWARD}", forward)
    (record,) = market.indices.read()
    assert (record["name"], record["kind"], record["price"]) == (FORWARD.encode(), 2, 101200.4)
    assert (record["index_price"], record["index_delta"]) == (100031.2, 1.0)
    market.notify("ticker.BTC-PERPETUAL.raw", {"mark_price": 101200.0})
    market.notify("ticker.ETH-PERPETUAL.raw", {"mark_price": 4000.0})
    expiring, perpetual = market.tickers.read()
    assert expiring["forward_price"] == 101200.4
    assert math.isnan(perpetual["forward_price"])


def test_forward_prices_are_not_followed_unless_asked(segments: SessionSegments):
    market = _future_market(segments)
    assert not [name for name in _extra_channels(market) if name.startswith("base_price")]


def test_a_restarted_actor_finds_the_rows_of_its_indices_again(segments: SessionSegments):
    first = _future_market(segments, extra_underlyings=["SOLUSD"])
    first.notify("price_index.SOLUSD", {"index_name": "SOLUSD", "price": 150.0})
    first.notify("price_index.BTCUSD", INDEX)
    second = _future_market(segments)
    second.notify("price_index.ETHUSD", {"index_name": "ETHUSD", "price": 4000.0})
    second.notify("price_index.BTCUSD", {**INDEX, "price": 100040.0})
    table = TableReader(segments["index_table"])
    told = [(bytes(row["name"]), float(row["price"])) for row in (table.snapshot(i)[0] for i in range(3))]
    assert told == [(b"SOLUSD", 150.0), (b"BTCUSD", 100040.0), (b"ETHUSD", 4000.0)]
