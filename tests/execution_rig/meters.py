"""What execution tells its runtime, kept so that a test can look: durations, counts, rings of the bell."""

from __future__ import annotations


class Durations(list[int]):
    """A histogram that keeps everything."""

    def record(self, duration_ns: int) -> None:
        self.append(duration_ns)


class Counts:
    def __init__(self) -> None:
        self.by_name: dict[str, int] = {}

    def add(self, name: str, count: int = 1) -> None:
        self.by_name[name] = self.by_name.get(name, 0) + count

    def values(self) -> dict[str, int]:
        return dict(self.by_name)


class Bell:
    def __init__(self) -> None:
        self.rings = 0

    def ring(self) -> None:
        self.rings += 1
