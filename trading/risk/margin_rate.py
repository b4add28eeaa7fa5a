"""What part of its notional exposure needs as margin, learned from the venue's answers.

An answer tells of one moment, and what is known of the orders may be of another: of a ladder just sent some are not
reported yet, and what all of them need then looks as if it were asked of the rest. A rate too high must not end the
quoting for good, which it would: where nothing fits, nothing is out that could show a better one. So a rate above 1
needs two answers in a row, and a rate that no answer shows any more is forgotten.
"""

from __future__ import annotations

RATE_ANSWERS_KEPT = 12  # a minute: that often the venue is asked while nothing is held


class LearnedRate:
    """The rate that the venue's answers show."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._answers_without = 0  # in a row
        self._was_above_one = False

    def learn(self, shown_rate: float) -> None:
        """Take over what an answer shows; NaN where it shows nothing, for nothing was held or out, or not all known."""
        is_above_one = shown_rate > 1.0
        if shown_rate <= 1.0 or (is_above_one and self._was_above_one):
            self._rate, self._answers_without = min(shown_rate, 1.0), 0
        else:
            self._answers_without += 1
            if self._answers_without >= RATE_ANSWERS_KEPT:
                self._rate = 0.0
        self._was_above_one = is_above_one

    def at_least(self, rate_min: float) -> float:
        """Return the rate as a part of notional, and not less than `rate_min`."""
        return max(rate_min, self._rate)
