"""Small recordings of every supported format, written for tests: one market, told in each venue's words."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from backtest.data.events import ASK, BID, KIND_MASK
from backtest.data.hftbacktest import THEIR_EVENT

T0_MS = 1_700_000_000_000
NS_PER_MS = 1_000_000
LATENCY_MS = 3


class BinanceLines:
    """Lines of a Binance recording; ids and local times go on by themselves."""

    def __init__(self, symbol: str = "btcusdt", latency_ms: int = LATENCY_MS) -> None:
        self.lines: list[str] = []
        self.symbol = symbol
        self.latency_ms = latency_ms
        self.update = 1000
        self.trade_id = 50

    def _stream(self, time_ms: int, stream: str, data: dict[str, Any]) -> BinanceLines:
        body = json.dumps({"stream": f"{self.symbol}@{stream}", "data": data}, separators=(",", ":"))
        return self.raw(time_ms, body)

    def raw(self, time_ms: int, body: str) -> BinanceLines:
        self.lines.append(f"{(T0_MS + time_ms + self.latency_ms) * NS_PER_MS} {body}")
        return self

    def snapshot(self, time_ms: int, bids: list[tuple[float, float]], asks: list[tuple[float, float]]) -> BinanceLines:
        levels = {"bids": _texts(bids), "asks": _texts(asks)}
        return self.raw(
            time_ms, json.dumps({"lastUpdateId": self.update, "E": T0_MS + time_ms, "T": T0_MS + time_ms, **levels})
        )

    def depth(
        self, time_ms: int, bids: list[tuple[float, float]], asks: list[tuple[float, float]], after: int | None = None
    ) -> BinanceLines:
        previous = self.update if after is None else after
        self.update += 10
        data = {"e": "depthUpdate", "E": T0_MS + time_ms, "T": T0_MS + time_ms, "s": self.symbol.upper(),
                "U": previous + 1, "u": self.update, "pu": previous, "b": _texts(bids), "a": _texts(asks)}  # fmt: skip
        return self._stream(time_ms, "depth@0ms", data)

    def trade(self, time_ms: int, price: float, size: float, *, seller: bool = False, kind: str = "MARKET") -> Any:
        self.trade_id += 1
        data = {"e": "trade", "E": T0_MS + time_ms, "T": T0_MS + time_ms, "s": self.symbol.upper(),
                "t": self.trade_id, "p": f"{price:.2f}", "q": f"{size:.3f}", "X": kind, "m": seller}  # fmt: skip
        return self._stream(time_ms, "trade", data)

    def best(self, time_ms: int, bid: float, bid_size: float, ask: float, ask_size: float) -> BinanceLines:
        self.update += 1
        data = {"e": "bookTicker", "u": self.update, "s": self.symbol.upper(), "b": f"{bid:.2f}",
                "B": f"{bid_size:.3f}", "a": f"{ask:.2f}", "A": f"{ask_size:.3f}",
                "T": T0_MS + time_ms, "E": T0_MS + time_ms}  # fmt: skip
        return self._stream(time_ms, "bookTicker", data)

    def write(self, path: Path) -> Path:
        with gzip.open(path, "wt") as file:
            file.write("\n".join(self.lines) + "\n")
        return path


def small_market() -> BinanceLines:
    """A book of two levels a side, a trade, a change and new best prices: seven lines."""
    lines = BinanceLines()
    lines.snapshot(0, [(100.0, 1.0), (99.9, 2.0)], [(100.1, 1.5), (100.2, 2.5)])
    lines.depth(10, [(100.0, 0.8)], [(100.1, 1.4)])
    lines.trade(20, 100.1, 0.4)
    lines.depth(30, [(99.9, 0.0)], [(100.1, 1.0)])
    lines.best(40, 100.0, 0.7, 100.1, 0.9)
    lines.trade(50, 100.0, 0.125, seller=True)
    lines.depth(60, [], [(100.2, 3.0)], after=lines.update - 1)
    return lines


def _texts(levels: list[tuple[float, float]]) -> list[list[str]]:
    return [[f"{price:.2f}", f"{size:.3f}"] for price, size in levels]


def write_csv(path: Path, header: str, lines: list[str]) -> Path:
    """Write a CSV, packed when its name ends in .gz."""
    text = "\n".join([header, *lines]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


TARDIS_BOOK = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
TARDIS_TRADES = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
TARDIS_QUOTES = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount"


def tardis_stamp(time_ms: float, latency_ms: float = LATENCY_MS) -> str:
    exchange_us = round((T0_MS + time_ms) * 1000)
    return f"deribit,BTC-PERPETUAL,{exchange_us},{exchange_us + round(latency_ms * 1000)}"


def write_bybit_book(path: Path, messages: list[dict[str, Any]]) -> Path:
    """Write an order book archive: one JSON a line, in a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.name.removesuffix(".zip"), "\n".join(json.dumps(m) for m in messages) + "\n")
    return path


def bybit_message(kind: str, time_ms: int, update: int, bids: list[Any], asks: list[Any]) -> dict[str, Any]:
    return {
        "topic": "orderbook.500.BTCUSDT", "type": kind, "ts": T0_MS + time_ms + LATENCY_MS,
        "data": {"s": "BTCUSDT", "b": _texts(bids), "a": _texts(asks), "u": update, "seq": update * 7},
        "cts": T0_MS + time_ms,
    }  # fmt: skip


def their_rows(rows: list[tuple[int, int, int, float, float]]) -> np.ndarray:
    """Return hftbacktest events from (ev, exchange ms, local ms, price, size)."""
    events = np.zeros(len(rows), THEIR_EVENT)
    for i, (ev, exchange_ms, local_ms, price, size) in enumerate(rows):
        events[i] = (ev, (T0_MS + exchange_ms) * NS_PER_MS, (T0_MS + local_ms) * NS_PER_MS, price, size, 0, 0, 0.0)
    return events


def told(rows: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Return (kind, side, ticks, lots) of every row."""
    flags = rows["flags"]
    return list(
        zip(
            (flags & KIND_MASK).tolist(),
            (flags & (BID | ASK)).tolist(),
            rows["price_ticks"].tolist(),
            rows["size_lots"].tolist(),
            strict=True,
        )
    )
