"""Whatever the deaths, the policy says what counting them by hand says."""

from __future__ import annotations

import random
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import ExitCode
from runtime.restart_policy import FINAL_EXIT_CODES, JITTER, GiveUp, RestartAt, RestartPolicy

WORTH_ANOTHER_START = st.sampled_from([-11, -9, -6, 0, 1, 4, 5, 17])


@st.composite
def settings(draw: st.DrawFn) -> dict[str, int]:
    backoff_ms_min = draw(st.integers(1, 60_000))
    return {
        "backoff_ms_min": backoff_ms_min,
        "backoff_ms_max": draw(st.integers(backoff_ms_min, 600_000)),
        "restarts_max": draw(st.integers(0, 40)),
        "window_s": draw(st.integers(1, 600)),
    }


@given(settings(), st.lists(st.tuples(WORTH_ANOTHER_START, st.integers(0, 100 * NS_PER_S)), max_size=60), st.integers())
def test_deaths_in_the_window_decide_and_nothing_else(
    config: dict[str, int], deaths: list[tuple[int, int]], seed: int
) -> None:
    policy = RestartPolicy(**config, rng=random.Random(seed))
    times_ns = list(accumulate(pause for _, pause in deaths))
    for i, ((exit_code, _), now_ns) in enumerate(zip(deaths, times_ns, strict=True)):
        decision = policy.on_exit(exit_code, now_ns)
        counted = sum(now_ns - earlier_ns <= config["window_s"] * NS_PER_S for earlier_ns in times_ns[: i + 1])
        if counted > config["restarts_max"]:
            assert isinstance(decision, GiveUp)
            assert decision.exit_code is ExitCode.GAVE_UP
            assert f"died {counted} times" in decision.reason
            return
        assert isinstance(decision, RestartAt)
        pause_ms = (decision.at_ns - now_ns) / NS_PER_MS
        longest_ms = min(config["backoff_ms_min"] * 2 ** (counted - 2), config["backoff_ms_max"]) if counted > 1 else 0
        assert longest_ms * (1 - JITTER) <= pause_ms <= longest_ms


@given(settings(), st.sampled_from(sorted(FINAL_EXIT_CODES)))
def test_a_death_that_another_start_cannot_mend_ends_it_at_once(config: dict[str, int], exit_code: ExitCode) -> None:
    decision = RestartPolicy(**config, rng=random.Random(1)).on_exit(exit_code, 0)
    assert isinstance(decision, GiveUp)
    assert decision.exit_code is exit_code


@given(settings(), st.lists(st.integers(0, NS_PER_S), min_size=1, max_size=30), st.integers())
def test_the_same_generator_gives_the_same_decisions(config: dict[str, int], pauses: list[int], seed: int) -> None:
    one, other = (RestartPolicy(**config, rng=random.Random(seed)) for _ in range(2))
    for now_ns in accumulate(pauses):
        assert one.on_exit(1, now_ns) == other.on_exit(1, now_ns)
