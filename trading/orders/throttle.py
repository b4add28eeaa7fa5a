"""The venue's message rates: a bucket of tokens for inserts and amends, another for cancels.

Cancels have their own, far larger allowance at the venue and are never kept waiting by quotes. The last
`reserve` tokens of the order bucket are for what reduces risk: flattening, stops, hedges. A caller without a token
keeps nothing queued: it asks again later and prices the newest wish then.

The venue's allowance is split into a small burst and a steady rate, so that no second ever holds more messages
than it allows, however it counts them, and a busy moment does not leave us mute for the rest of the second.
"""

from __future__ import annotations

from collections import deque

from domain.clock import NS_PER_MS, NS_PER_S


class TokenBucket:
    """Tokens that come back at a steady rate, at most `capacity` of them; counted in exact integers.

    A token is NS_PER_S units, and every nanosecond brings `rate_per_s` units.
    """

    def __init__(self, rate_per_s: int, capacity: int, now_ns: int) -> None:
        assert rate_per_s > 0, f"a rate of {rate_per_s} messages a second"
        assert capacity > 0, f"a burst of {capacity} messages"
        self.rate_per_s = rate_per_s
        self.capacity = capacity
        self._units = capacity * NS_PER_S
        self._filled_time_ns = now_ns

    def take(self, now_ns: int, reserve: int = 0) -> bool:
        """Take one token, if more than `reserve` are there."""
        self._fill(now_ns)
        if self._units < (reserve + 1) * NS_PER_S:
            return False
        self._units -= NS_PER_S
        return True

    def empty(self, now_ns: int) -> None:
        """Throw all tokens away: the venue counts otherwise than we do."""
        self._units = 0
        self._filled_time_ns = now_ns

    def wait_ns(self, now_ns: int, reserve: int = 0) -> int:
        """Return how long until `take` can succeed; 0 = now."""
        self._fill(now_ns)
        missing = (reserve + 1) * NS_PER_S - self._units
        return -(-missing // self.rate_per_s) if missing > 0 else 0

    def _fill(self, now_ns: int) -> None:
        if now_ns > self._filled_time_ns:
            gained = (now_ns - self._filled_time_ns) * self.rate_per_s
            self._units = min(self._units + gained, self.capacity * NS_PER_S)
            self._filled_time_ns = now_ns


class Throttle:
    """What may be sent now.

    Attributes:
        allowance: inserts and amends in any one second that the venue takes, less the margin.
        order_rate_max: inserts and amends that may leave in any one second; risk's limit may lower it.

    Args:
        message_rate: inserts and amends a second that the venue takes.
        margin_ratio: part of each rate that is left unused.
        burst: inserts and amends that may leave at once; at most half of the rate.
        reserve: tokens that only what is urgent may take.
        cancel_rate: cancels a second that the venue takes.
        backoff_ns_min, backoff_ns_max: bounds of the doubling pause after a `throttle exceeded`.
    """

    def __init__(
        self,
        *,
        message_rate: int,
        margin_ratio: float,
        burst: int,
        reserve: int,
        cancel_rate: int,
        backoff_ns_min: int,
        backoff_ns_max: int,
        now_ns: int,
    ) -> None:
        assert backoff_ns_min <= backoff_ns_max, f"backoff from {backoff_ns_min} to {backoff_ns_max} ns"
        allowance = max(int(message_rate * (1 - margin_ratio)), 2)
        burst = min(burst, allowance // 2)
        cancels = max(int(cancel_rate * (1 - margin_ratio)), 1)
        self._orders = TokenBucket(allowance - burst, burst, now_ns)
        self._cancels = TokenBucket(cancels, cancels, now_ns)
        self._reserve = min(reserve, burst - 1)
        self._backoff_ns_min = backoff_ns_min
        self._backoff_ns_max = backoff_ns_max
        self._backoff_ns = 0
        self._blocked_until_ns = 0
        self._sent_ns: deque[int] = deque()
        self.allowance = self.order_rate_max = allowance

    def take_order(self, now_ns: int, *, is_urgent: bool = False) -> bool:
        """Take leave for one insert or amend; False = not now. What reduces risk is urgent: it may take the reserve."""
        if now_ns < self._blocked_until_ns:
            return False
        if not is_urgent and self.messages_last_s(now_ns) >= self.order_rate_max:
            return False
        if not self._orders.take(now_ns, 0 if is_urgent else self._reserve):
            return False
        self._sent_ns.append(now_ns)
        return True

    def take_cancel(self, now_ns: int) -> bool:
        """Take leave for one cancel; never waits for orders or for their backoff."""
        return self._cancels.take(now_ns)

    def wait_ns(self, now_ns: int, ahead: int = 0) -> int:
        """Return how long until a quote may be sent, after `ahead` others that wait too; 0 = now."""
        return max(self.pause_ns(now_ns, ahead), self._orders.wait_ns(now_ns, self._reserve + ahead))

    def pause_ns(self, now_ns: int, ahead: int = 0) -> int:
        """Return how long no quote may be sent however many tokens there are: after a `throttle exceeded`, or because
        the last second holds all that it may."""
        blocked_ns = max(self._blocked_until_ns - now_ns, 0)
        window_ns = 0
        if self.order_rate_max <= ahead:
            window_ns = NS_PER_S
        elif self.order_rate_max <= self.messages_last_s(now_ns) + ahead:
            window_ns = self._sent_ns[ahead - self.order_rate_max] + NS_PER_S - now_ns
        return max(blocked_ns, window_ns)

    def blocked_ms(self, now_ns: int) -> int:
        """Return how long the pause after a `throttle exceeded` still lasts; 0 = there is none."""
        return max(self._blocked_until_ns - now_ns, 0) // NS_PER_MS

    def messages_last_s(self, now_ns: int) -> int:
        """Return how many inserts and amends were let through in the last second."""
        sent_ns = self._sent_ns
        while sent_ns and now_ns - sent_ns[0] >= NS_PER_S:
            sent_ns.popleft()
        return len(sent_ns)

    def on_throttled(self, now_ns: int) -> int:
        """The venue refused a message for its rate: stop for a while; return for how many ms."""
        if now_ns >= self._blocked_until_ns:  # several refusals of one burst count once
            self._backoff_ns = min(max(2 * self._backoff_ns, self._backoff_ns_min), self._backoff_ns_max)
            self._blocked_until_ns = now_ns + self._backoff_ns
            self._orders.empty(now_ns)
        return (self._blocked_until_ns - now_ns) // NS_PER_MS

    def on_accepted(self, now_ns: int) -> None:
        """The venue took a message: the next pause starts small again, once this one is well over."""
        if self._backoff_ns and now_ns - self._blocked_until_ns > self._backoff_ns:
            self._backoff_ns = 0
