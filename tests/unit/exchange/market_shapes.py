"""Instruments, tickers, books, indices and histories, as the documentation shows them."""

from __future__ import annotations

from typing import Any

from tests.unit.exchange.shape_language import (
    SIDE,
    Check,
    all_of,
    array,
    flag,
    integer,
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

TYPE = one_of("perpetual", "future", "option", "combination")


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
INSTRUMENT_CHANGES = array(all_of(shape({"added?": INSTRUMENT, "removed?": INSTRUMENT}), lambda value: len(value) == 1))
TOP_OF_BOOK = nullable(row(*[nullable(number)] * 4))
OHLC = [integer, number, number, number, number]


def mark_history(value: Any) -> bool:
    extra = {"perpetual": [number], "option": [number] * 4}.get(value["instrument_type"], [])
    rows = array(row(*OHLC, *extra, TOP_OF_BOOK))
    return shape({"instrument_type": TYPE, "mark": rows, "no_data?": one_of(True)})(value)
