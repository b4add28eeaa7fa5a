from __future__ import annotations

import random

import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import ExitCode
from runtime.restart_policy import JITTER, GiveUp, RestartAt, RestartPolicy


def policy(restarts_max: int = 3) -> RestartPolicy:
    return RestartPolicy(
        backoff_ms_min=100, backoff_ms_max=300, restarts_max=restarts_max, window_s=60, rng=random.Random(1)
    )


def test_the_first_death_is_mended_at_once_and_the_next_ones_with_growing_pauses() -> None:
    mending = policy(restarts_max=10)
    for second, longest_ms in enumerate([0, 100, 200, 300, 300]):
        decision = mending.on_exit(-9, second * NS_PER_S)
        assert isinstance(decision, RestartAt)
        pause_ms = (decision.at_ns - second * NS_PER_S) / NS_PER_MS
        assert longest_ms * (1 - JITTER) <= pause_ms <= longest_ms


def test_actors_that_die_of_one_cause_do_not_come_back_in_step() -> None:
    several = [
        RestartPolicy(backoff_ms_min=100, backoff_ms_max=300, restarts_max=9, window_s=60, rng=random.Random(seed))
        for seed in range(4)
    ]
    for mending in several:
        mending.on_exit(-9, 0)
    assert len({mending.on_exit(-9, NS_PER_S) for mending in several}) == len(several)


def test_a_child_that_keeps_dying_is_given_up_on() -> None:
    mending = policy(restarts_max=2)
    decisions = [mending.on_exit(1, second * NS_PER_S) for second in range(3)]
    assert decisions[2] == GiveUp("died 3 times within 60 s", ExitCode.GAVE_UP)


def test_deaths_outside_the_window_are_forgotten() -> None:
    mending = policy(restarts_max=1)
    for minute in range(5):
        assert isinstance(mending.on_exit(1, minute * 61 * NS_PER_S), RestartAt)


@pytest.mark.parametrize("code", [ExitCode.USAGE, ExitCode.CREDENTIALS, ExitCode.VENUE_UNREACHABLE])
def test_a_child_that_says_that_another_start_cannot_help_is_believed(code: ExitCode) -> None:
    decision = policy().on_exit(code, 0)
    assert isinstance(decision, GiveUp)
    assert decision.exit_code == code
