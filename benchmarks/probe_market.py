"""The probe venue's one instrument: a seeded book whose mid jumps several ticks with every tick that is sent."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable

import msgspec

INSTRUMENT_NAME = "BTC-PERPETUAL"
UNDERLYING = "BTCUSD"
TICK_SIZE = 1.0  # $
STREAM_TICK_SIZE = 0.0001  # $, of a market whose mid only rises
LOT_SIZE = 0.001
LEVELS = 10
START = 100_000  # $
SWING_TICKS = 60  # the mid stays so near its start that no collar and no rounding ever matters
JUMPS_TICKS = (-5, -4, -3, -2, 2, 3, 4, 5)

_encode = msgspec.json.encode
Levels = list[tuple[float, float, float]]

INSTRUMENT = {
    "instrument_name": INSTRUMENT_NAME,
    "product": "FBTCUSD",
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


def instrument_names(count: int) -> list[str]:
    """Return the names of a market of `count` instruments; the first is the one that is measured."""
    return [INSTRUMENT_NAME, *(f"X{number:02}-PERPETUAL" for number in range(2, count + 1))]


class ProbeMarket:
    """Ten levels a side, a tick apart, around a mid of whole ticks.

    Args:
        is_rising: the mid only rises, by the same jumps of much smaller ticks: no two ticks ever have the same.

    Attributes:
        name: the instrument's.
        mid_ticks: where the mid is now. Two ticks in a row never have the same.
        tick_size: $.
    """

    def __init__(self, seed: int, *, is_rising: bool = False, name: str = INSTRUMENT_NAME) -> None:
        self.name = name
        self._random = random.Random(seed)
        self._is_rising = is_rising
        self.tick_size = STREAM_TICK_SIZE if is_rising else TICK_SIZE
        self.mid_ticks = self._start_ticks = self.ticks(START)
        self._bids = self._fresh(self._bid_prices(self.mid_ticks))
        self._asks = self._fresh(self._ask_prices(self.mid_ticks))

    @property
    def instrument(self) -> dict[str, object]:
        """The instrument as public/instruments lists it."""
        return {**INSTRUMENT, "instrument_name": self.name, "tick_size": self.tick_size}

    def ticks(self, price: float) -> int:
        """Return a price in ticks."""
        return round(price / self.tick_size)

    def book(self) -> dict[str, object]:
        """Return the whole book as a snapshot's payload."""
        bids: Levels = [(self._price(at), size, size) for at, size in sorted(self._bids.items(), reverse=True)]
        asks: Levels = [(self._price(at), size, size) for at, size in sorted(self._asks.items())]
        return self._payload(bids, asks)

    def stand_at(self, mid_ticks: int) -> None:
        """Be where a copy of this market was: what has been prepared from the copy is being sent now."""
        self.mid_ticks = mid_ticks
        self._bids = dict.fromkeys(self._bid_prices(mid_ticks), 1.0)
        self._asks = dict.fromkeys(self._ask_prices(mid_ticks), 1.0)

    def jump(self) -> dict[str, object]:
        """Move the mid and return the changes of the book as a payload."""
        jump = self._random.choice(JUMPS_TICKS)
        if self._is_rising:
            jump = abs(jump) + 1  # at least 3: an order's price tells its tick also when it was rounded
        elif abs(self.mid_ticks + jump - self._start_ticks) > SWING_TICKS:
            jump = -jump
        self.mid_ticks += jump
        bids = self._replace(self._bids, self._bid_prices(self.mid_ticks))
        asks = self._replace(self._asks, self._ask_prices(self.mid_ticks))
        return self._payload(bids, asks)

    def ticker(self) -> dict[str, object]:
        """Return the ticker's payload; mark and index are the mid."""
        mid, bid, ask = (self._price(self.mid_ticks + steps) for steps in (0, -1, 1))
        return {
            "mark_price": mid, "mark_timestamp": time.time(), "index": mid, "forward": mid, "last_price": mid,
            "delta": 1.0, "best_bid_price": bid, "best_bid_amount": 1.0, "best_ask_price": ask,
            "best_ask_amount": 1.0, "volume_24h": 100.0, "value_24h": 1e7, "low_price_24h": mid - 100,
            "high_price_24h": mid + 100, "change_24h": 0.0, "collar_low": mid * 0.99, "collar_high": mid * 1.01,
            "open_interest": 1000.0, "funding_rate": 0.0, "funding_mark": 0.0, "realised_funding_24h": 0.0,
            "average_funding_rate_24h": 0.0,
        }  # fmt: skip

    def index(self) -> dict[str, object]:
        """Return the payload of price_index."""
        return {"index_name": UNDERLYING, "price": self._price(self.mid_ticks), "timestamp": time.time()}

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
        levels: Levels = [(self._price(at), 0, 0) for at in gone]
        return levels + [(self._price(at), side[at], side[at]) for at in new]

    def _price(self, at_ticks: int) -> float:
        return round(at_ticks * self.tick_size, 4)

    @staticmethod
    def _payload(bids: Levels, asks: Levels) -> dict[str, object]:
        return {
            "trades": [], "bid_changes": bids, "ask_changes": asks, "total_bid_amount": 25.0, "total_ask_amount": 25.0,
            "time": time.time(),
        }  # fmt: skip
