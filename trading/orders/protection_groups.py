"""Market-maker protection, as we know it: one group a product, to be set before anything is quoted in it.

    UNSET ──set_sent──> SETTING ──confirmed──> SET ──used up──> COOLING ──(time)──> UNSET
      ^                    │                    │
      └────── refused ─────┴── reset, code 23 ──┘

The venue takes every quote of a product back once so much of them has traded since the group was set. Then nothing is
quoted in it for a cool-down, and the group is set anew. A group that was used without being used up is filled up after
a while, by setting it again: what it guards against is a burst. A new connection, `cancel_session` and
`cancel_mass_quote` delete the groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from domain.clock import NS_PER_MS

RETRY_NS = 1000 * NS_PER_MS


class GroupState(Enum):
    UNSET = "protection not set"
    SETTING = "protection being set"
    SET = "protected"
    COOLING = "cooling down: protection was used up"


class ProtectionGroups:
    """All groups of the session.

    Attributes:
        triggers: how often one was used up.
    """

    def __init__(self, cooldown_ns: int, window_ns: int) -> None:
        self._cooldown_ns = cooldown_ns
        self._window_ns = window_ns
        self._used_ns: dict[str, int] = {}  # since when a group is not full
        self._states: dict[str, GroupState] = {}
        self._until_ns: dict[str, int] = {}  # end of a cool-down, or of the pause after a refusal
        self.triggers = 0

    def state(self, product: str, now_ns: int) -> GroupState:
        state = self._states.get(product, GroupState.UNSET)
        if state is GroupState.COOLING and now_ns >= self._until_ns[product]:
            state = self._states[product] = GroupState.UNSET
        return state

    def must_set(self, product: str, now_ns: int) -> bool:
        """Whether the group should be set now."""
        return self.state(product, now_ns) is GroupState.UNSET and now_ns >= self._until_ns.get(product, 0)

    def must_fill_up(self, product: str, now_ns: int) -> bool:
        """Whether a group in force should be set again, for it was used long enough ago."""
        if not self._window_ns or self._states.get(product) is not GroupState.SET:
            return False
        return product in self._used_ns and now_ns - self._used_ns[product] >= self._window_ns

    def set_sent(self, product: str) -> None:
        """Setting is under way; a group in force stays in force meanwhile."""
        self._used_ns.pop(product, None)
        if self._states.get(product) is not GroupState.SET:
            self._states[product] = GroupState.SETTING

    def used(self, product: str, now_ns: int) -> None:
        """Some of a group has traded."""
        self._used_ns.setdefault(product, now_ns)

    def confirmed(self, product: str) -> None:
        if self._states.get(product) is GroupState.SETTING:
            self._states[product] = GroupState.SET

    def refused(self, product: str, now_ns: int) -> None:
        """The venue did not set it, or its answer was lost: another try follows, for setting twice does no harm."""
        if self._states.get(product) is GroupState.SETTING:
            self._states[product] = GroupState.UNSET
            self._until_ns[product] = now_ns + RETRY_NS

    def used_up(self, product: str, now_ns: int) -> bool:
        """The venue took the quotes back; return False when that is known already."""
        if self._states.get(product) is not GroupState.SET:
            return False
        self._states[product] = GroupState.COOLING
        self._until_ns[product] = now_ns + self._cooldown_ns
        self.triggers += 1
        return True

    def is_unset(self, product: str) -> None:
        """The venue knows of no group: what it refused says so."""
        if self._states.get(product) is GroupState.SET:
            self._states[product] = GroupState.UNSET

    def reset(self, products: Iterable[str] | None = None) -> None:
        """Groups were deleted; None = all. A cool-down goes on all the same."""
        for product in list(self._states) if products is None else products:
            if self._states.get(product) is not GroupState.COOLING:
                self._states.pop(product, None)

    def cooling(self, now_ns: int) -> list[str]:
        """Return the products that wait for the end of their cool-down."""
        return [product for product in self._states if self.state(product, now_ns) is GroupState.COOLING]
