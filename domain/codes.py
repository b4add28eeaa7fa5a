"""Numbers with a name that stand in shared records."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class OffReason(IntEnum):
    """Why strategy leaves a side out. Anything but QUOTED is a limit, pause or filter of the configuration."""

    QUOTED = 0
    NO_BOOK = 1  # no valid book yet, or none any more
    BOOK_STALE = 2
    POSITION_UNKNOWN = 3
    POSITION_LIMIT = 4  # hard limit of the strategy: this side would add to it
    RISK = 5  # risk's state or limits take the side away
    PAUSED = 6  # by the operator
    NOT_FINITE = 7  # the model gave no finite price
    NOT_WARM = 8  # an estimator has neither prior nor enough samples
    STOPPING = 9
    SIZE_MIN = 10  # the order size is below the smallest that the venue takes
    INSTRUMENT_CHANGED = 11  # the venue changed tick or lot size: a new session takes the new grid
    INSTRUMENT_REMOVED = 12  # the venue no longer lists it: expired or delisted
    TICK_REFUSED = 13  # the newest mid jumped and has not held yet
    POST_FILL = 14  # this side was filled a moment ago
    REGIME = 15  # the market is trending
    NOT_WANTED = 16  # the user's strategy does not want this side now
    CROSSED = 17  # the user's strategy would cross the book, itself, or has its levels out of order
    STRATEGY_FAULT = 18  # the user's strategy failed; see the log; `resume` gives it a new try


class ClampFlag(IntFlag):
    """Which bounds changed a quote."""

    FEE_FLOOR = 1
    HALF_SPREAD_MIN = 2
    HALF_SPREAD_MAX = 4
    SIGMA_MIN = 8
    SIGMA_MAX = 16
    BID_POST_ONLY = 32  # bid moved back so that it does not cross the best ask
    ASK_POST_ONLY = 64
    SIZE_TAPERED = 128
    ARRIVALS_BOUNDED = 256
    REFERENCE_UNKNOWN = 512  # mark, index or funding is old or missing: the fair price does without
    FAIR_BOUNDED = 1024  # vamp, mark or index would have moved the fair price further off
    GAMMA_BOUNDED = 2048  # σ over its base would have made more of γ
    STRESSED = 4096  # market stress above 1 raised γ
    DRIFT_BOUNDED = 8192
    TABLE_EXCEEDED = 16384  # the position lies beyond the grid that the model is solved on
    INVENTORY_COST_BOUNDED = 32768
    DISPLACED = 65536  # widened after a move
    BID_ASYMMETRIC = 131072  # widened against the short-term move
    ASK_ASYMMETRIC = 262144
    BID_FILLED_OFTEN = 524288  # widened after many fills of one side
    ASK_FILLED_OFTEN = 1048576
    SIGNALS_USED = 2097152  # the signals changed γ, σ, κ, a size or the reservation price
    IMPACT_BOUNDED = 4194304  # the measured market impact was held by its bounds


class OrderEventKind(IntEnum):
    """What an order event tells."""

    ACCEPTED = 1
    AMENDED = 2
    CANCELLED = 3
    FILLED = 4  # one fill, partial or last
    REJECTED = 5  # by the venue
    DENIED = 6  # by our own gate


class HedgeState(IntEnum):
    """What the hedge of an underlying is at."""

    IDLE = 1
    UNDER_WAY = 2  # execution was asked, and has not answered yet
    COOLING = 3  # the pause after one


class RiskReason(IntEnum):
    """Why risk is not active, or why the gate refuses."""

    NONE = 0
    STARTING = 1
    POSITION_UNKNOWN = 2
    STALE_MARKET_DATA = 3
    POSITION_LIMIT = 4
    NOTIONAL_LIMIT = 5
    LOSS_FROM_PEAK = 6
    ORDER_RATE = 7
    OPERATOR = 8
    KILL = 9
    EXECUTION_SUSPECT = 10
    VENUE_DISCONNECTED = 11
    LIMITS_STALE = 12  # gate: risk is silent
    ORDER_SIZE = 13
    ORDER_NOTIONAL = 14
    PRICE_COLLAR = 15
    OPEN_ORDERS = 16
    REDUCE_ONLY = 17
    NOT_FINITE = 18
    SELF_CROSS = 19
    HALTED = 20
    POSITION_DIFFERS = 21  # risk and execution disagree on the position for too long
    SESSION_ENDS = 22  # risk is stopping, or outlives its supervisor
    INSTRUMENT_OFF = 23  # the venue removed the instrument, or changed its tick or lot size
    STOP_LOSS = 24
    TAKE_PROFIT = 25
    TRAILING_STOP = 26
    LOSS_OF_DAY = 27
    LOSING_STREAK = 28
    MARGIN_USE = 29
    LIQUIDATION_NEAR = 30
    VALUE_AT_RISK = 31
    NET_NOTIONAL = 32
    DUPLICATE = 33  # gate: the same order was sent a moment ago, or is not answered yet
    STALE_PRICE = 34  # gate: the mark is unknown, or too old
    EXPECTED_SHORTFALL = 35


class SegmentKind(IntEnum):
    RING = 1
    TABLE = 2


class ActorPhase(IntEnum):
    NONE = 0
    STARTING = 1
    LIVE = 2
    STOPPING = 3
    COMPILING = 4  # starting, and for once longer than usual: kernels are compiled
