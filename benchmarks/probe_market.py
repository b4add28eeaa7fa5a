"""The probe venue's one instrument: a seeded book whose mid jumps several ticks with every tick that is sent."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable

import msgspec

INSTRUMENT_NAME = "BTC-PERPETUAL"
UNDERLYING = "BTCUSD"
TICK_SIZE = 1  # $
LOT_SIZE = 0.001
LEVELS = 10
START_TICKS = 100_000
SWING_TICKS = 60  # the mid stays so near its start that no collar and no rounding ever matters
JUMPS_TICKS = (-5, -4, -3, -2, 2, 3, 4, 5)

_encode = msgspec.json.encode
Levels = list[tuple[float, float, float]]

INSTRUMENT = {
    "instrument_name": INSTRUMENT_NAME,
    "product": "FBTCUSD",
    "tick_size": TICK_SIZE,
    "volume_tick_size": LOT_SIZE,
    "min_order_amount": LOT_SIZE,
    "underlying": UNDERLYING,
    "type": "perpetual",
    "base_currency": "USD",
    "create_time": 1600000000.0,
}


def notification(channel: str, payload: object, *, is_snapshot: bool = False) -> bytes:
    """Return one frame of a channel, in the venue's compact form."""
    message: dict[str, object] = {"channel_name": channel, "notification": payload}
    if is_snapshot:
        message["snapshot"] = True
    return _encode(message)


class ProbeMarket:
    """Ten levels a side, a tick apart, around an integer mid.

    Attributes:
        mid_ticks: where the mid is now. Two ticks in a row never have the same.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.mid_ticks = START_TICKS
        self._bids = self._fresh(self._bid_prices(START_TICKS))
        self._asks = self._fresh(self._ask_prices(START_TICKS))

    def book(self) -> dict[str, object]:
        """Return the whole book as a snapshot's payload."""
        bids: Levels = [(price, size, size) for price, size in sorted(self._bids.items(), reverse=True)]
        asks: Levels = [(price, size, size) for price, size in sorted(self._asks.items())]
        return self._payload(bids, asks)

    def jump(self) -> dict[str, object]:
        """Move the mid and return the changes of the book as a payload."""
        jump = self._random.choice(JUMPS_TICKS)
        if abs(self.mid_ticks + jump - START_TICKS) > SWING_TICKS:
            jump = -jump
        self.mid_ticks += jump
        bids = self._replace(self._bids, self._bid_prices(self.mid_ticks))
        asks = self._replace(self._asks, self._ask_prices(self.mid_ticks))
        return self._payload(bids, asks)

    def ticker(self) -> dict[str, object]:
        """Return the ticker's payload; mark and index are the mid."""
        mid = float(self.mid_ticks * TICK_SIZE)
        return {
            "mark_price": mid, "mark_timestamp": time.time(), "index": mid, "forward": mid, "last_price": mid,
            "delta": 1.0, "best_bid_price": mid - TICK_SIZE, "best_bid_amount": 1.0, "best_ask_price": mid + TICK_SIZE,
            "best_ask_amount": 1.0, "volume_24h": 100.0, "value_24h": 1e7, "low_price_24h": mid - 100,
            "high_price_24h": mid + 100, "change_24h": 0.0, "collar_low": mid * 0.99, "collar_high": mid * 1.01,
            "open_interest": 1000.0, "funding_rate": 0.0, "funding_mark": 0.0, "realised_funding_24h": 0.0,
            "average_funding_rate_24h": 0.0,
        }  # fmt: skip

    def index(self) -> dict[str, object]:
        """Return the payload of price_index."""
        return {"index_name": UNDERLYING, "price": float(self.mid_ticks * TICK_SIZE), "timestamp": time.time()}

    @staticmethod
    def _bid_prices(mid_ticks: int) -> range:
        return range(mid_ticks - LEVELS, mid_ticks)

    @staticmethod
    def _ask_prices(mid_ticks: int) -> range:
        return range(mid_ticks + 1, mid_ticks + LEVELS + 1)

    def _fresh(self, prices: Iterable[int]) -> dict[int, float]:
        return {price: self._random.randint(100, 5000) / 1000 for price in prices}

    def _replace(self, side: dict[int, float], prices: range) -> Levels:
        gone = [price for price in side if price not in prices]
        new = [price for price in prices if price not in side]
        for price in gone:
            del side[price]
        side.update(self._fresh(new))
        return [(price, 0, 0) for price in gone] + [(price, side[price], side[price]) for price in new]

    @staticmethod
    def _payload(bids: Levels, asks: Levels) -> dict[str, object]:
        return {
            "trades": [], "bid_changes": bids, "ask_changes": asks, "total_bid_amount": 25.0, "total_ask_amount": 25.0,
            "time": time.time(),
        }  # fmt: skip
