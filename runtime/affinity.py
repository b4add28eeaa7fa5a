"""Which core each process runs on: one of its own where there are enough, shared otherwise, and said so."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

SHARED = -1


class Placement(NamedTuple):
    """Where a process may run. `core` is SHARED (-1) when it has no core to itself."""

    cores: frozenset[int]
    core: int

    @property
    def is_exclusive(self) -> bool:
        return self.core != SHARED


def plan(processes: Sequence[str], cores: Sequence[int]) -> dict[str, Placement]:
    """Return a placement for each process.

    One core is left to the supervisor, the exchange and the operating system. When the rest does not give every
    process a core of its own, each is pinned to one core all the same (round robin, neighbours in the data's way
    on different cores), so that caches stay warm, but none may spin.
    """
    ordered = sorted(cores)
    if len(ordered) > len(processes):
        return {name: Placement(frozenset({ordered[i + 1]}), ordered[i + 1]) for i, name in enumerate(processes)}
    if len(ordered) < 4:
        return {name: Placement(frozenset(ordered), SHARED) for name in processes}
    spare = ordered[1:]
    return {name: Placement(frozenset({spare[i % len(spare)]}), SHARED) for i, name in enumerate(processes)}


def plan_background(cores: Sequence[int]) -> Placement:
    """Return where processes go that nobody waits for: the core that `plan` leaves to the supervisor."""
    ordered = sorted(cores)
    return Placement(frozenset(ordered if len(ordered) < 4 else ordered[:1]), SHARED)


def available_cores() -> list[int]:
    """Return the cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def describe(placements: dict[str, Placement], background: Sequence[str] = ()) -> str:
    """Return one line for the operator. `background`: actors without a core of their own, for nobody waits for them."""
    own = [f"{name}→{placed.core}" for name, placed in placements.items() if placed.is_exclusive]
    if len(own) == len(placements):
        return "cores: " + " ".join(own)
    cores = sorted(set().union(*(placed.cores for placed in placements.values())))
    needed = len(placements) + 1
    names, but = ", ".join([*placements, *background]), f", but for {', '.join(background)}," if background else ""
    return f"cores: {names} share cores {cores} (a core each{but} needs {needed}); nothing spins"
