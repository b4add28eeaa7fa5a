"""Cool-downs and recoveries over a restart of risk: what has begun is not forgotten, nor cut short.

The monotonic clock goes on while processes come and go, so an end in its time holds for as long as the machine runs.
After a start of the machine the wall clock must do; then nothing waits longer than it would have from its beginning.
An end that passes while nobody watches is seen late: recovering begins when it is seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from domain.clock import NS_PER_S
from trading.risk.states import ACCOUNT, FOREVER, Cause, RiskStates


class Waiting(msgspec.Struct, frozen=True):
    """A cause that ends by time, as it is kept on disk.

    Attributes:
        instrument: name; empty = the whole account.
        ends_ns: monotonic; 0 = the cause is present, its cool-down has not begun.
        ends_realtime_s: the same moment, Unix seconds.
    """

    cause: Cause
    instrument: str
    text: str
    since_realtime_ns: int
    ends_ns: int = 0
    ends_realtime_s: int = 0


def waiting_of(states: RiskStates, names: Sequence[str], now_ns: int, realtime_ns: int) -> list[Waiting]:
    """Return what ends by time, for the disk."""
    found = []
    for cause, scope, text, since_ns, until_ns in states.ending_by_time:
        kept = Waiting(cause, "" if scope == ACCOUNT else names[scope], text, since_ns)
        if until_ns != FOREVER:
            ends_realtime_s = -(-(realtime_ns + until_ns - now_ns) // NS_PER_S)
            kept = msgspec.structs.replace(kept, ends_ns=until_ns, ends_realtime_s=ends_realtime_s)
        found.append(kept)
    return found


def take_up(
    states: RiskStates,
    kept: Iterable[Waiting],
    names: Sequence[str],
    *,
    is_same_boot: bool,
    now_ns: int,
    realtime_ns: int,
) -> None:
    """Let go on what a predecessor kept; of instruments that are no more, nothing."""
    for one in kept:
        if one.instrument and one.instrument not in names:
            continue
        scope = names.index(one.instrument) if one.instrument else ACCOUNT
        until_ns = one.ends_ns or FOREVER
        if one.ends_ns and not is_same_boot:
            left_ns = one.ends_realtime_s * NS_PER_S - realtime_ns
            until_ns = now_ns + min(max(left_ns, 0), states.recovery.length_ns(one.cause))
        states.hold(one.cause, scope, one.text, one.since_realtime_ns, until_ns)
