"""A token bucket: as many messages at once as the rate allows in a second, then the rate."""

from __future__ import annotations

from exchange.core.scheduler import NS_PER_S


class TokenBucket:
    def __init__(self, rate_per_s: int, now_ns: int) -> None:
        self._rate_per_s = rate_per_s
        self._tokens = float(rate_per_s)
        self._updated_ns = now_ns

    def try_take(self, now_ns: int) -> bool:
        """Return whether a message may pass now, and count it if so."""
        earned = (now_ns - self._updated_ns) * self._rate_per_s / NS_PER_S
        self._tokens = min(self._rate_per_s, self._tokens + earned)
        self._updated_ns = now_ns
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def set_rate(self, rate_per_s: int, now_ns: int) -> None:
        """Change the rate; a higher one can be used in full at once."""
        self._tokens += max(0, rate_per_s - self._rate_per_s)
        self._rate_per_s = rate_per_s
        self._updated_ns = now_ns
