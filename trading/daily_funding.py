"""The funding of one instrument over the venue's daily settlement: booked once, and held until it is told.

At 08:00 UTC the venue pays out the funding that a position has gathered, and counts what is unrealised from zero
again. How much it was stands in a history of its own (`SettlementReport`), a moment later or much later, and in no
trade. Until that line has come nobody knows whether a position's unrealised funding is still that of before. So what
was seen last before the settlement is held in its place::

    from LEAD_NS before 08:00 on         what was seen last counts, and nothing newer
    SETTLING_NS after it, no line yet    what was seen last, and what has gathered since
    the line has come                    it is booked, and what is unrealised counts again as the venue tells it

Profit and loss goes on over all three without a step but for what gathers meanwhile, so that no limit is tripped by a
settlement or kept from tripping. Funding that trades realise in the last moments before 08:00 is taken off what is
held: their lines of the trade history tell it.

Times are Unix nanoseconds by the venue's clock; money is quote currency, received is positive.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from domain.clock import NS_PER_S

ZERO = Decimal(0)
DAY_NS = 86_400 * NS_PER_S
SETTLEMENT_OF_DAY_NS = 8 * 3_600 * NS_PER_S
LEAD_NS = 10 * NS_PER_S  # twice what our clock may be off, and a second between two looks
SETTLING_NS = 600 * NS_PER_S  # a venue that settles later than this is not settling any more
EARLY_NS = 60 * NS_PER_S  # a line may carry a stamp so much before 08:00


class DailyState(NamedTuple):
    """All that `DailyFunding` knows, as in its attributes."""

    booked_ns: int = 0
    passed_ns: int = 0
    position: Decimal = ZERO
    held: Decimal = ZERO
    seen: Decimal = ZERO
    is_older_awaited: bool = False


class DailyFunding:
    """What is booked, and what is held, of one instrument's settlements.

    Attributes:
        booked_ns: the newest settlement that is booked, or when the ledger began; 0 = none of this is looked after.
        passed_ns: the newest settlement that has come, or when the ledger began.
        position: base units that were held at `passed_ns`.
        held: unrealised funding that was seen last before settlements that are not booked.
        seen: unrealised funding that counts, as it was seen last.
        is_older_awaited: a settlement before `passed_ns` is not booked either, and something was, or may have been,
            held then.
    """

    def __init__(self) -> None:
        self.resume(DailyState())

    @property
    def state(self) -> DailyState:
        return DailyState(self.booked_ns, self.passed_ns, self.position, self.held, self.seen, self.is_older_awaited)

    def resume(self, state: DailyState) -> None:
        """Go on from where another was."""
        self.booked_ns, self.passed_ns, self.position, self.held, self.seen, self.is_older_awaited = state

    def begin(self, now_ns: int, unrealised: Decimal) -> None:
        """Begin with what a position has gathered by now; settlements until now are none of ours."""
        self.resume(DailyState(now_ns, now_ns, seen=unrealised))

    @property
    def is_awaited(self) -> bool:
        """Whether something was held at a settlement that is not booked."""
        return self.booked_ns < self.passed_ns and (self.position != 0 or self.is_older_awaited)

    # ---- what happens --------------------------------------------------------------------------------

    def pass_time(self, time_ns: int, position: Decimal) -> None:
        """Note that it is `time_ns`, and what is held; the first call after 08:00 holds what was seen before it."""
        newest_ns = settlement_before(time_ns)
        if self.booked_ns and newest_ns > self.passed_ns:
            is_day_skipped = newest_ns - DAY_NS > self.passed_ns  # nobody noted what was held then
            self.is_older_awaited = self.is_awaited or is_day_skipped
            self.passed_ns, self.position, self.held = newest_ns, position, self.seen

    def on_fill(self, signed_size: Decimal, time_ns: int) -> None:
        """Take a fill into what was held at the settlement, if it was before that."""
        if 0 < time_ns < self.passed_ns:
            self.position += signed_size

    def on_trade(self, funding: Decimal, time_ns: int) -> None:
        """Take off what is held what a trade before the settlement has realised of it."""
        if self.booked_ns < self.passed_ns and 0 < time_ns < self.passed_ns:
            self.held -= funding
            if self.is_awaited:
                self.seen -= funding

    def see(self, unrealised: Decimal, now_ns: int) -> Decimal:
        """Take what the venue calls unrealised; return what counts as that."""
        if self.is_awaited:
            is_settling = now_ns < self.passed_ns + SETTLING_NS
            self.seen = self.held if is_settling else self.held + unrealised
        else:
            self.seen = unrealised
        return self.seen

    def book(self, time_ns: int, funding: Decimal) -> bool:
        """Note that a settlement's funding is booked; return False if it was, or was before the ledger began.

        What is unrealised is to be looked at anew at once: `see` goes by it from here on.
        """
        settled_ns = settlement_before(time_ns + EARLY_NS)
        if not self.booked_ns or settled_ns <= self.booked_ns:
            return False
        self.booked_ns = settled_ns
        if settled_ns < self.passed_ns:
            self.held -= funding  # one more is awaited
        else:
            self.passed_ns, self.held = settled_ns, ZERO
        return True

    def told(self) -> None:
        """Note that all lines that the venue has are booked: what it has not told of days ago it never will."""
        self.is_older_awaited = False


def settlement_before(time_ns: int) -> int:
    """Return the newest 08:00 UTC that is not after a time."""
    return (time_ns - SETTLEMENT_OF_DAY_NS) // DAY_NS * DAY_NS + SETTLEMENT_OF_DAY_NS
