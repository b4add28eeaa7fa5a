"""One instrument's quoter: a QUOTER record, the way in and out of it, and the kernels that work on it.

Records in, records out. The caller (the strategy actor, a test, a replay) copies shared records in as words and
publishes the words of the wish and its explanation when `decide` says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from domain.codes import OffReason
from domain.records import EXPLANATION
from trading.quoting.config import QuotingConfig
from trading.quoting.news import News, Sees
from trading.quoting.params import Units, write_params
from trading.quoting.records import CONFIGURED, KEPT, word_of, words_of
from trading.quoting.user.code import STANDARD, StrategyCode
from trading.quoting.user.watch import watched
from trading.signals.params import write_signal_params

_BOOK = words_of("book")
_ACCOUNT = words_of("account")
_LIMITS = words_of("limits")
_TICKER = words_of("ticker")
_WISH = words_of("wish")
_EXPLANATION = words_of("explanation")
_MARKET = words_of("market")
_CANDLE = int(News.CANDLE)
_SEQUENCE_WORDS = 1  # of a shared record; it belongs to the ring or table

_NOW = word_of("moment", "now_ns")
_REALTIME = word_of("moment", "realtime_ns")
_INSTRUMENT = word_of("moment", "instrument")
_EPOCH = word_of("moment", "strategy_epoch")
_BOOK_POSITION = word_of("moment", "book_position")
_TRADE_POSITION = word_of("moment", "trade_position")
_PARAMS_HASH = word_of("moment", "params_hash")
_IS_PAUSED = word_of("moment", "is_paused")
_IS_STOPPING = word_of("moment", "is_stopping")
_INSTRUMENT_OFF = word_of("moment", "instrument_off")
_IS_CONNECTED = word_of("moment", "is_connected")
_ALIVE = word_of("moment", "alive_time_ns")
_IS_NET_DELTA_KNOWN = word_of("moment", "is_net_delta_known")
_NET_DELTA = word_of("moment", "net_delta")
_WRITE_NOW = word_of("moment", "write_now")
_IS_USABLE = word_of("state", "is_book_usable")
_CANDLES = word_of("signals", "candles")
_IS_WANTED = word_of("table", "is_wanted")
_WISH_ID = word_of("wish", "wish_id")
_MARKET_STATUS = word_of("market", "status")
_BID_OFF = word_of("ladder", "bid_off_reason")
_ASK_OFF = word_of("ladder", "ask_off_reason")


def params_hash(code: StrategyCode, record: npt.NDArray[np.void]) -> int:
    """Return the hash of the parameters in a QUOTER record, shape (1,), and of the files that take them."""
    digest = hashlib.sha256(record.view(np.int64)[CONFIGURED].tobytes() + code.configured(record)).digest()
    return int.from_bytes(digest[:8], "little") >> 1


class Quoter:
    """Quotes one instrument.

    Attributes:
        record: the QUOTER record, shape (1,), for a slow look at any field.
        ints: its words as int64.
        wish: words of the wish as `decide` left it, without the sequence; likewise `explanation` and `market`, the row
            for simple readers.
        state: words of all that a restart keeps.
        book_words: words of the newest book.
        code: what it runs: the standard strategy, or the user's.
        on_candle: called after each candle that closes, before anything newer is taken in.
    """

    def __init__(self, instrument: int, strategy_epoch: int = 1, code: StrategyCode = STANDARD) -> None:
        self.code = code
        self.record: npt.NDArray[np.void] = np.zeros(1, code.quoter)
        self._entries = watched(code)
        code.begin(self.record)
        self._words: npt.NDArray[np.int64] = self.record.view(np.int64)
        quoter_bytes = self.record.view(np.uint8).data
        self.ints = quoter_bytes.cast("q")
        self.floats = quoter_bytes.cast("d")
        self.wish = self.ints[_WISH][_SEQUENCE_WORDS:]
        self.explanation = self.ints[_EXPLANATION][_SEQUENCE_WORDS:]
        self.market = self.ints[_MARKET][_SEQUENCE_WORDS:]
        self.state = self.ints[KEPT]
        self.book_words = self.ints[_BOOK]
        self.ints[_INSTRUMENT] = instrument
        self.ints[_EPOCH] = strategy_epoch
        self.ints[_WRITE_NOW] = 1  # the first wish is written whatever it says
        self.is_configured = False
        self.on_candle: Callable[[], None] = _ignore

    def configure(self, config: QuotingConfig, units: Units) -> int:
        """Take parameters over, at once and for all later calls, and return their hash."""
        self.code.write_values(self.record, config)
        write_params(self.record["params"], config, units)
        lot_base = units.lot_size * units.contract_multiplier
        write_signal_params(self.record["signal_params"], config.signals, units.tick_size, units.lot_size, lot_base)
        self.ints[_PARAMS_HASH] = params_hash(self.code, self.record)
        self.is_configured = True
        return self.ints[_PARAMS_HASH]

    def take_news(self, sight: Sees) -> int:
        """Take what has come since the last look: rows, fills, books; return the News of it."""
        news = self._entries.take_news(self.record, self._words, sight.record)
        while news & _CANDLE:
            self.on_candle()
            news = news & ~_CANDLE | self._entries.take_news(self.record, self._words, sight.record)
        return news

    def take_book(self, words: memoryview, position: int) -> None:
        """Take a BOOK record (its int64 words) from `position` of the books ring."""
        self.ints[_BOOK] = words
        self.ints[_BOOK_POSITION] = position
        candles = self.ints[_CANDLES]
        self._entries.take_book(self.record)
        if self.ints[_CANDLES] != candles:
            self.on_candle()

    def take_trades(self, trades: npt.NDArray[np.void], position: int) -> None:
        """Take TRADE records of any instrument; `position` is the trades ring's after the last of them."""
        taken = 0
        while taken < len(trades):
            candles = self.ints[_CANDLES]
            taken = self._entries.take_trades(self.record, trades, taken)
            if self.ints[_CANDLES] != candles:
                self.on_candle()
        self.ints[_TRADE_POSITION] = position

    def take_fill(self, side: int, size_lots: int, time_ns: int) -> None:
        """Take one of our own fills; `side` +1 buy, -1 sell."""
        self._entries.take_fill(self.record, side, size_lots, time_ns)

    def take_account(self, words: memoryview) -> None:
        """Take an ACCOUNT record (its int64 words): position and working orders."""
        self.ints[_ACCOUNT] = words

    def take_limits(self, words: memoryview) -> None:
        """Take a LIMITS record (its int64 words)."""
        self.ints[_LIMITS] = words

    def take_ticker(self, words: memoryview) -> None:
        """Take a TICKER record (its int64 words): mark, index, funding. NaN where the venue sent nothing."""
        self.ints[_TICKER] = words

    def take_net_delta(self, net_delta: float, is_known: bool) -> None:
        """Take the net delta of the underlying over all instruments, base units."""
        self.floats[_NET_DELTA] = net_delta
        self.ints[_IS_NET_DELTA_KNOWN] = is_known

    def take_feed(self, is_connected: bool, alive_time_ns: int) -> None:
        """Take the feed's sign of life, monotonic ns."""
        self.ints[_IS_CONNECTED] = is_connected
        self.ints[_ALIVE] = alive_time_ns

    def take_outage(self) -> None:
        """Say that time passed unseen: what changed meanwhile is no return."""
        self._entries.take_outage(self.record)

    def pause(self, is_paused: bool) -> None:
        """Take both sides away with PAUSED, or quote again; that also gives a user's strategy that failed a new try."""
        self.ints[_IS_PAUSED] = is_paused
        if not is_paused:
            self._entries.forget_fault()

    def switch_instrument_off(self, reason: OffReason) -> None:
        """Take both sides away with `reason`; QUOTED = the instrument is as it was again."""
        self.ints[_INSTRUMENT_OFF] = reason

    def stop(self) -> None:
        """Take both sides away with STOPPING from now on."""
        self.ints[_IS_STOPPING] = 1

    def continue_wish(self, words: memoryview) -> None:
        """Go on counting wishes from the WISH record (its int64 words) that a predecessor left."""
        self.ints[_WISH] = words

    def decide(self, now_ns: int, realtime_ns: int) -> bool:
        """Quote; return whether there is a wish to publish, with its explanation."""
        ints = self.ints
        ints[_NOW] = now_ns
        ints[_REALTIME] = realtime_ns
        return self._entries.decide(self.record, self._words)

    def refuse(self) -> bool:
        """Take both sides away as after a failure of the user's code; return whether there is a wish to publish."""
        return self._entries.refuse(self.record, self._words)

    def solve(self) -> bool:
        """Bring the solved grid of the model in use to the inputs of the last quote; True = quote again.

        Call it after a quote is out of the house, not before: a large grid takes a millisecond. Models with a closed
        form need none of it.
        """
        return self.ints[_IS_WANTED] == 1 and bool(self._entries.solve(self.record))

    def state_hash(self) -> int:
        """Return a 63-bit hash of the state."""
        return self._entries.hash_state(self._words)

    def restore_words(self, words: memoryview) -> None:
        """Replace the state by `words`, as they are."""
        self.state[:] = words

    def restore_state(self, words: memoryview) -> None:
        """Replace the state by saved words, and skip the time between."""
        self.restore_words(words)
        self.take_outage()

    def forget_state(self) -> None:
        """Start cold: all estimators at their priors."""
        self._words[KEPT] = 0
        self.code.begin(self.record)

    @property
    def wish_id(self) -> int:
        return self.ints[_WISH_ID]

    @property
    def fault(self) -> str:
        """What went wrong in the user's code, in one line; both sides are off since then. Empty = nothing."""
        return self._entries.fault

    @property
    def is_book_usable(self) -> bool:
        """Whether the newest book is valid and shows others than us on both sides."""
        return self.ints[_IS_USABLE] == 1

    @property
    def market_status(self) -> int:
        """1 = the newest book is live, as the newest quote saw it."""
        return self.ints[_MARKET_STATUS]

    @property
    def off_reasons(self) -> tuple[OffReason, OffReason]:
        """Why bid and ask are left out of the newest quote."""
        return OffReason(self.ints[_BID_OFF]), OffReason(self.ints[_ASK_OFF])


def _ignore() -> None:
    """Nobody looks at candles."""


assert (_EXPLANATION.stop - _EXPLANATION.start) * 8 == EXPLANATION.size_bytes
