"""What a soak says of memory: what creeps counts, what is gathered and let go does not."""

from __future__ import annotations

import random

import pytest

from tests.faults.rows.soak import LOOKS_PER_HOUR, _lows, _slope_mb_per_h

FLOOR_KB, GATHERED_KB_MAX, KB_PER_MB = 48_000, 8_000, 1024


def breathing(looks: int, creep_mb_per_h: float) -> list[int]:
    """Return the memory of a process that lets go only now and then, and creeps below that."""
    rng = random.Random(1)
    creep_kb = creep_mb_per_h * KB_PER_MB / LOOKS_PER_HOUR
    return [
        FLOOR_KB + round(look * creep_kb) + rng.choice([0, rng.randrange(GATHERED_KB_MAX)]) for look in range(looks)
    ]


@pytest.mark.parametrize("creep_mb_per_h", [0.0, 0.9, 1.1, 5.0])
def test_memory_that_creeps_below_the_breathing_is_found(creep_mb_per_h: float) -> None:
    lows = _lows(breathing(300, creep_mb_per_h))
    assert len(lows) == 10
    assert _slope_mb_per_h(lows) == pytest.approx(creep_mb_per_h, abs=0.1)


def test_a_soak_of_less_than_five_minutes_has_no_low() -> None:
    assert _lows(breathing(29, 1.0)) == []
