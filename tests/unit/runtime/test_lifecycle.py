from __future__ import annotations

import pytest

from actors.execution.watch import WATCH_INTERVAL_NS
from domain.clock import NS_PER_MS
from domain.codes import ActorPhase
from runtime.config import SupervisorConfig
from runtime.heartbeats import NEVER, Heartbeat
from runtime.lifecycle import TRANSITIONS, ChildState, Event, Patience, Verdict, judge
from supervisor import POLL_S
from trading.orders.config import ExecutionConfig

PID = 4711
PATIENCE = Patience(suspect_ms=450, dead_ms=2000, start_deadline_s=10)


def look(
    beat_ms: int | None, now_ms: int, *, phase: ActorPhase = ActorPhase.LIVE, pid: int = PID, awake_since_ms: int = 0
) -> Verdict:
    heartbeat = NEVER if beat_ms is None else Heartbeat(pid, 1, phase, beat_ms * NS_PER_MS)
    return judge(
        heartbeat,
        PID,
        started_ns=0,
        awake_since_ns=awake_since_ms * NS_PER_MS,
        now_ns=now_ms * NS_PER_MS,
        patience=PATIENCE,
    )


def test_silence_makes_it_suspect_and_then_lost() -> None:
    assert look(1000, 1450).event is Event.BEAT
    assert look(1000, 1451) == Verdict(Event.SILENT, "silent for 451 ms")
    assert look(1000, 3000).event is Event.SILENT
    assert look(1000, 3001) == Verdict(Event.LOST, "silent for 2001 ms")


@pytest.mark.parametrize("phase", [ActorPhase.STARTING, ActorPhase.COMPILING])
def test_a_start_has_a_deadline_of_its_own(phase: ActorPhase) -> None:
    assert look(0, 10_000, phase=phase).event is None
    assert look(9_999, 10_001, phase=phase) == Verdict(Event.LOST, "not live within 10 s of its start")


def test_the_heartbeat_of_an_earlier_life_is_no_sign_of_this_one() -> None:
    assert look(1000, 1001, pid=PID + 1).event is None
    assert look(None, 10_001).event is Event.LOST


def test_silence_while_the_judge_itself_did_not_run_proves_nothing() -> None:
    """After a frozen machine thaws, every actor has been silent for as long as its supervisor has been away."""
    assert look(1000, 60_000).event is Event.LOST
    assert look(1000, 60_000, awake_since_ms=60_000).event is None  # if it has just come back, it waits
    assert look(60_010, 60_020, awake_since_ms=60_000).event is Event.BEAT
    assert look(1000, 62_001, awake_since_ms=60_000).event is Event.LOST  # and not for ever


def test_every_state_can_be_left_and_a_next_life_begins_only_after_the_last_is_dead() -> None:
    spawning = [state for state, ways in TRANSITIONS.items() if Event.SPAWNED in ways]
    assert spawning == [ChildState.DEAD]
    for state, ways in TRANSITIONS.items():
        assert ways.get(Event.GIVEN_UP) is ChildState.ENDED, state
        if state in (ChildState.STARTING, ChildState.LIVE, ChildState.SUSPECT):
            assert ways[Event.LOST] is ChildState.DEAD
    assert set(TRANSITIONS) == set(ChildState)


def test_silence_is_noticed_well_within_half_a_second() -> None:
    for suspect_ms, look_ms in (
        (SupervisorConfig().suspect_ms, round(POLL_S * 1000)),
        (ExecutionConfig().suspect_ms, WATCH_INTERVAL_NS // NS_PER_MS),
    ):
        assert suspect_ms + look_ms <= 500 * 0.9, "a tenth is left to a machine that is late"
