"""How long each side was quoted at the venue, and how long it could have been.

The time base begins with the first wish. A side is quoted while the venue has confirmed an order of ours open on
it; it is allowed while no limit, pause or filter takes it away. After a restart the row in shared memory is
continued, and the gap counts as allowed and not quoted.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.records import ACCOUNT

_FIELDS = ("session_time_ns", "bid_quoted_ns", "ask_quoted_ns", "bid_allowed_ns", "ask_allowed_ns", "accounted_time_ns")
_FIRST = ACCOUNT.word(_FIELDS[0])
assert [ACCOUNT.word(name) for name in _FIELDS] == list(range(_FIRST, _FIRST + len(_FIELDS)))


class QuotedTime:
    """The six time words of an ACCOUNT row, and what holds since the last of them was counted."""

    def __init__(self) -> None:
        self.session_time_ns = 0
        self.quoted_ns = [0, 0]  # bid, ask
        self.allowed_ns = [0, 0]
        self.accounted_time_ns = 0
        self._is_quoted = (False, False)
        self._is_allowed = (True, True)
        self._is_ended = False

    def resume(self, account_ints: Sequence[int]) -> None:
        """Continue from the row that a predecessor left."""
        words = account_ints[_FIRST : _FIRST + len(_FIELDS)]
        self.session_time_ns = words[0]
        self.quoted_ns = [words[1], words[2]]
        self.allowed_ns = [words[3], words[4]]
        self.accounted_time_ns = words[5]

    def begin(self, now_ns: int) -> None:
        """The first wish was seen; later calls change nothing."""
        if not self.session_time_ns:
            self.session_time_ns = self.accounted_time_ns = now_ns

    def end(self, now_ns: int) -> None:
        """The session is being stopped: nothing more is counted."""
        self.count(now_ns)
        self._is_ended = True

    def count(self, now_ns: int) -> None:
        """Add the time since the last call, during which what `now_is` said held."""
        passed_ns = now_ns - self.accounted_time_ns
        if self._is_ended or not self.session_time_ns or passed_ns <= 0:
            return
        self.accounted_time_ns = now_ns
        for side in (0, 1):
            if self._is_allowed[side]:
                self.allowed_ns[side] += passed_ns
                # Quoted while not allowed (an order on its way out) must not fill up the ratio.
                self.quoted_ns[side] += passed_ns * self._is_quoted[side]

    def now_is(self, is_quoted: tuple[bool, bool], is_allowed: tuple[bool, bool]) -> None:
        """Say what holds from the last `count` on, as (bid, ask)."""
        self._is_quoted = is_quoted
        self._is_allowed = is_allowed

    def write(self, account_ints: memoryview) -> None:
        """Put the six words into an ACCOUNT record."""
        account_ints[_FIRST] = self.session_time_ns
        account_ints[_FIRST + 1], account_ints[_FIRST + 2] = self.quoted_ns
        account_ints[_FIRST + 3], account_ints[_FIRST + 4] = self.allowed_ns
        account_ints[_FIRST + 5] = self.accounted_time_ns
