"""One instrument of execution: its wish, its orders as reconciling and the gate see them, its account row."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from typing import NamedTuple

from actors.execution.quoted_time import QuotedTime
from actors.execution.recent_orders import RecentOrders
from domain.codes import OffReason, RiskReason
from domain.instrument import Instrument
from domain.order import Side, TradingState
from domain.records import ACCOUNT, LIMITS, QUOTE_LEVELS_MAX, WISH
from runtime.topology import STRATEGY
from shm.record import TableReader, TableWriter
from trading.orders.order import Order
from trading.orders.reconcile import Hold, Level, LiveOrder
from trading.orders.states import OrderState
from trading.risk.gate import UNKNOWN_ADDED, Exposure
from trading.risk.gate_kernel import NO_OWN_ASK_TICKS, NO_OWN_BID_TICKS

_WISH_ID = WISH.word("wish_id")
_WISH_POSITION = WISH.word("position_lots")
_WISH_EPOCH = WISH.word("strategy_epoch")
_WISH_SOURCE = WISH.word("source_time_ns")
_WISH_COMPUTED = WISH.word("computed_time_ns")
_WISH_BID_OFF = WISH.word("bid_off_reason")
_WISH_ASK_OFF = WISH.word("ask_off_reason")
_WISH_LADDERS = (
    (WISH.word("bid_count"), WISH.word("bid_price_ticks"), WISH.word("bid_size_lots")),
    (WISH.word("ask_count"), WISH.word("ask_price_ticks"), WISH.word("ask_size_lots")),
)
_STATE = LIMITS.word("state")
_LIMITS_POSITION = LIMITS.word("position_lots")
_POSITION_MAX = LIMITS.word("position_lots_max")
_ORDER_MAX = LIMITS.word("order_lots_max")
_LEVELS_MAX = LIMITS.word("levels_max")
_ACCOUNT_ROW = ACCOUNT.word("instrument")
_ACCOUNT_UPDATED = ACCOUNT.word("updated_time_ns")
_ACCOUNT_IS_KNOWN = ACCOUNT.word("is_known")
_ACCOUNT_POSITION = ACCOUNT.word("position_lots")
_ACCOUNT_BUY, _ACCOUNT_SELL = ACCOUNT.word("pending_buy_lots"), ACCOUNT.word("pending_sell_lots")
_ACCOUNT_FILLS = ACCOUNT.word("fill_count")
_LADDER_WORDS = slice(ACCOUNT.word("bid_count"), ACCOUNT.word("session_time_ns"))
_NO_LADDERS = array("q", [0] * (_LADDER_WORDS.stop - _LADDER_WORDS.start))
_ACCOUNT_LADDERS = (
    (ACCOUNT.word("bid_count"), ACCOUNT.word("bid_price_ticks"), ACCOUNT.word("bid_size_lots")),
    (ACCOUNT.word("ask_count"), ACCOUNT.word("ask_price_ticks"), ACCOUNT.word("ask_size_lots")),
)
_HOLDS = {
    OrderState.PENDING_NEW: Hold.BUSY,
    OrderState.WORKING: Hold.FREE,
    OrderState.PENDING_AMEND: Hold.BUSY,
    OrderState.PENDING_CANCEL: Hold.LEAVING,
    OrderState.UNKNOWN: Hold.UNKNOWN,
}
# Bound once: Python 3.11 takes ten times as long to find a member in its enum class as a name in its module.
_BUY, _SELL = Side.BUY, Side.SELL
_LEAVING = Hold.LEAVING
_QUOTED = OffReason.QUOTED
_REDUCING = TradingState.REDUCING
_QUOTING_STATES = frozenset({TradingState.ACTIVE, TradingState.REDUCING, TradingState.RECOVERING})


class Wish(NamedTuple):
    """A WISH row, read once."""

    wish_id: int
    strategy_epoch: int
    source_time_ns: int
    computed_time_ns: int
    is_quoted: tuple[bool, bool]  # bid, ask: no limit, pause or filter took the side away
    bids: list[Level]
    asks: list[Level]
    position_lots: int = 0  # that it was made for

    @property
    def terms(self) -> tuple[tuple[bool, bool], list[Level], list[Level], int]:
        """What matters to us; a wish that is only written again has the same."""
        return (self.is_quoted, self.bids, self.asks, self.position_lots)


class LiveView(NamedTuple):
    """The live orders of an instrument, as reconciling takes them."""

    bids: list[LiveOrder]
    asks: list[LiveOrder]
    leaving_bid_lots: int
    leaving_ask_lots: int


class Desk:
    """One instrument. Whoever changes orders or position sets `is_dirty`.

    Attributes:
        strategy: the strategy process whose wishes it follows; empty = none has it.
        position_lots: signed holdings by the ledger.
        is_dirty: something changed since the orders were last reconciled.
        throttled_since_ns: when a message first found no token; 0 = nothing waits.
        excess_since_ns: orders that found no token to leave where they are too much, by client id, and since when.
        blocked_by: why nothing is wanted just now; empty = the wish is.
        held_by: why the instrument itself may not be quoted; empty = it may.
        is_flattening: its position is being brought to zero; no quotes meanwhile.
        room_lots: what the limits left for bids and for asks, all that rests included, when `bounded` was last asked.
        crossing: price in ticks at which the venue refused a post-only order for crossing, and when (monotonic).
        wanted: bids and asks that are to rest, when that was last asked; empty = nothing is.
        bounds_seen: the limits that the resting orders obey.
        hedging: side on which a hedge trades this instrument; no quote of ours may stand in its way.
        added: what our orders in it may add to the exposure that risk knows; the gate of the others asks for it.
        recent: what was sent a moment ago.
        refusals: what the gate refused lately, and has not let pass since: a repeated refusal is told once.
    """

    def __init__(
        self,
        row: int,
        name: str,
        instrument: Instrument,
        strategy: str = STRATEGY,
        order_of: Callable[[int], Order | None] = lambda _: None,
    ) -> None:
        self.row = row
        self.name = name
        self.strategy = strategy
        self.instrument = instrument
        self.position_lots = 0
        self.fill_count = 0
        self.is_dirty = True
        self.throttled_since_ns = 0
        self.excess_since_ns: dict[int, int] = {}
        self.blocked_by = "starting"
        self.held_by = ""
        self.is_flattening = False
        self.hedging: Side | None = None
        self.refusals: set[tuple[RiskReason, bool, int, int]] = set()
        self.denials_untold = 0
        self.denial_log_due_ns = 0
        self.wish: Wish | None = None
        self.wish_sequence = 0
        self.limits_busy_since_ns = 0
        self.bounds_seen: tuple[int, ...] = ()
        self.quoted_time = QuotedTime()
        self.is_allowed = (True, True)
        self.room_lots = (0, 0)
        self.wanted: tuple[list[Level], list[Level]] = ([], [])
        self.crossing: dict[Side, tuple[int, int]] = {}
        self.exposure = Exposure(
            tick_size=float(instrument.tick_size),
            base_per_lot=float(instrument.lot_size * instrument.contract_multiplier),
        )
        self.added = UNKNOWN_ADDED
        self.recent = RecentOrders(order_of)

    def caught_up(self) -> None:
        """Nothing waits for a token any more."""
        self.throttled_since_ns = 0
        if self.excess_since_ns:
            self.excess_since_ns.clear()

    # ---- the wish --------------------------------------------------------------------------------------

    def take_wish(self, table: TableReader) -> Wish:
        """Read the row that `table` has loaded."""
        ints = table.ints
        ladders: list[list[Level]] = []
        for count_word, price_word, size_word in _WISH_LADDERS:
            count = max(min(ints[count_word], QUOTE_LEVELS_MAX), 0)
            prices = ints[price_word : price_word + count].tolist()
            sizes = ints[size_word : size_word + count].tolist()
            ladders.append([level for level in zip(prices, sizes, strict=True) if level[1] > 0])
        self.wish = Wish(
            ints[_WISH_ID],
            ints[_WISH_EPOCH],
            ints[_WISH_SOURCE],
            ints[_WISH_COMPUTED],
            (ints[_WISH_BID_OFF] == _QUOTED, ints[_WISH_ASK_OFF] == _QUOTED),
            ladders[0],
            ladders[1],
            ints[_WISH_POSITION],
        )
        return self.wish

    def unspent(self, wish: Wish) -> tuple[list[Level], list[Level]]:
        """Return what is left of a wish after the fills since it was made, taken from the levels nearest the market.

        It never leads further than it meant to: strategy, which hears of a fill at once, makes levels whole again.
        """
        bought_lots = self.position_lots - wish.position_lots
        if not bought_lots:
            return wish.bids, wish.asks
        if bought_lots > 0:
            return _without_first(wish.bids, bought_lots), wish.asks
        return wish.bids, _without_first(wish.asks, -bought_lots)

    def bounded(self, wish: Wish, limits: TableReader, view: LiveView) -> tuple[list[Level], list[Level]]:
        """Return the wish without what the limits in `limits` would refuse, so that resting orders obey them too."""
        ints = limits.ints
        state = ints[_STATE]
        if state not in _QUOTING_STATES:
            self.is_allowed = (False, False)
            return [], []
        high_lots = max(self.position_lots, ints[_LIMITS_POSITION])
        low_lots = min(self.position_lots, ints[_LIMITS_POSITION])
        reach_lots = 0 if state == _REDUCING else ints[_POSITION_MAX]
        buy_room = reach_lots - high_lots
        sell_room = reach_lots + low_lots
        self.room_lots = (buy_room, sell_room)
        lots_min, lots_max = self.instrument.order_lots_min, ints[_ORDER_MAX]
        levels_max = max(ints[_LEVELS_MAX], 0)
        self.is_allowed = (
            wish.is_quoted[0] and buy_room >= lots_min and levels_max > 0,
            wish.is_quoted[1] and sell_room >= lots_min and levels_max > 0,
        )
        bids, asks = self.unspent(wish)
        bids = trimmed(bids[:levels_max], buy_room - view.leaving_bid_lots, lots_min, lots_max)
        asks = trimmed(asks[:levels_max], sell_room - view.leaving_ask_lots, lots_min, lots_max)
        if self.hedging is not None:
            self.is_allowed = (
                self.is_allowed[0] and self.hedging is _BUY,
                self.is_allowed[1] and self.hedging is _SELL,
            )
            return ([], asks) if self.hedging is _SELL else (bids, [])
        return bids, asks

    def uncrossed(self, bids: list[Level], asks: list[Level]) -> tuple[list[Level], list[Level]]:
        """Return the ladders moved out of the prices at which the venue has just refused to let us rest."""
        if _BUY in self.crossing:
            bids = _beyond(bids, self.crossing[_BUY][0], -1)
        if _SELL in self.crossing:
            asks = _beyond(asks, self.crossing[_SELL][0], 1)
        return bids, asks

    # ---- our orders ------------------------------------------------------------------------------------

    def view(self, orders: Iterable[Order]) -> LiveView:
        """Return the live orders for reconciling, and bring `exposure` up to date with them."""
        bids: list[LiveOrder] = []
        asks: list[LiveOrder] = []
        leaving = [0, 0]
        lots = [0, 0]
        best_bid, best_ask = NO_OWN_BID_TICKS, NO_OWN_ASK_TICKS
        count = 0
        for order in orders:
            hold = _LEAVING if order.is_operator or order.is_hedge else _HOLDS[order.state]
            terms = order.terms if order.target is None else order.target
            aggressive_ticks = order.aggressive_price_ticks
            if (moved_from_ticks := order.moved_from_ticks) is not None:
                terms = (moved_from_ticks, terms[1])
            live = LiveOrder(order.client_order_id, *terms, order.filled_lots, aggressive_ticks, hold)
            exposed_lots = order.exposed_lots
            count += 1
            if order.side is _BUY:
                bids.append(live)
                lots[0] += exposed_lots
                leaving[0] += exposed_lots * (hold is _LEAVING)
                best_bid = max(best_bid, aggressive_ticks)
            else:
                asks.append(live)
                lots[1] += exposed_lots
                leaving[1] += exposed_lots * (hold is _LEAVING)
                best_ask = min(best_ask, aggressive_ticks)
        exposure = self.exposure
        exposure.position_lots = self.position_lots
        exposure.buy_lots, exposure.sell_lots = lots
        exposure.open_orders = count
        exposure.own_best_bid_ticks, exposure.own_best_ask_ticks = best_bid, best_ask
        return LiveView(bids, asks, leaving[0], leaving[1])

    # ---- the account row -------------------------------------------------------------------------------

    def publish_account(self, table: TableWriter, orders: Iterable[Order], is_known: bool, now_ns: int) -> None:
        """Write the ACCOUNT row, the quoted time up to now included."""
        ladders: tuple[list[Level], list[Level]] = ([], [])
        pending = [0, 0]
        for order in orders:
            side = order.side is _SELL
            if order.is_confirmed_open:
                ladders[side].append((order.price_ticks, order.remaining_lots))
            pending[side] += order.exposed_lots - (order.remaining_lots if order.is_confirmed_open else 0)
        ladders[0].sort(reverse=True)
        ladders[1].sort()
        quoted_time = self.quoted_time
        quoted_time.count(now_ns)
        quoted_time.now_is((bool(ladders[0]), bool(ladders[1])), self.is_allowed)
        ints = table.ints
        ints[_ACCOUNT_ROW] = self.row
        ints[_ACCOUNT_UPDATED] = now_ns
        ints[_ACCOUNT_IS_KNOWN] = is_known
        ints[_ACCOUNT_POSITION] = self.position_lots
        ints[_ACCOUNT_BUY], ints[_ACCOUNT_SELL] = pending
        ints[_ACCOUNT_FILLS] = self.fill_count
        ints[_LADDER_WORDS] = _NO_LADDERS
        for (count_word, price_word, size_word), ladder in zip(_ACCOUNT_LADDERS, ladders, strict=True):
            shown = ladder[:QUOTE_LEVELS_MAX]
            ints[count_word] = len(shown)
            for i, (price_ticks, size_lots) in enumerate(shown):
                ints[price_word + i] = price_ticks
                ints[size_word + i] = size_lots
        quoted_time.write(ints)
        table.publish(self.row)


def disown_accounts(table: TableWriter) -> None:
    """Say of every row that a killed predecessor left that nothing is known: the venue may be out of reach for long.

    The times that it counted stay, for the next life goes on with them.
    """
    for row in range(table.rows):
        if table.load_own(row):
            for name in ("is_known", "bid_count", "ask_count"):
                table.ints[ACCOUNT.word(name)] = 0
            table.publish(row)


def trimmed(ladder: list[Level], room_lots: int, lots_min: int, lots_max: int) -> list[Level]:
    """Return the levels that fit into `room_lots`, best first, none larger than `lots_max`."""
    kept: list[Level] = []
    for price_ticks, size_lots in ladder:
        lots = min(size_lots, room_lots, lots_max)
        if lots < lots_min:
            break
        kept.append((price_ticks, lots))
        room_lots -= lots
    return kept


def _without_first(ladder: list[Level], lots: int) -> list[Level]:
    """Return a ladder without its first `lots`, counted from the level nearest the market."""
    kept: list[Level] = []
    for price_ticks, size_lots in ladder:
        taken = min(size_lots, lots)
        lots -= taken
        if taken < size_lots:
            kept.append((price_ticks, size_lots - taken))
    return kept


def _beyond(ladder: list[Level], ticks: int, sign: int) -> list[Level]:
    """Return the levels at least one tick behind `ticks` and behind each other; `sign` points away from the market."""
    moved: list[Level] = []
    for price_ticks, lots in ladder:
        ticks = max(sign * price_ticks, sign * ticks + 1) * sign
        moved.append((ticks, lots))
    return moved
