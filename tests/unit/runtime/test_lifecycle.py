from __future__ import annotations

import itertools
import random

import pytest

from actors.execution.watch import WATCH_INTERVAL_NS
from domain.clock import NS_PER_MS
from domain.codes import ActorPhase
from runtime.config import SupervisorConfig
from runtime.heartbeats import NEVER, Heartbeat
from runtime.lifecycle import TRANSITIONS, Absences, ChildState, Event, Observed, Patience, Verdict, judge
from supervisor import POLL_S
from trading.orders.config import ExecutionConfig

PID = 4711
PATIENCE = Patience(suspect_ms=450, dead_ms=2000, start_deadline_s=10)


def look(beat_ms: int | None, now_ms: int, *, phase: ActorPhase = ActorPhase.LIVE, pid: int = PID) -> Verdict:
    heartbeat = NEVER if beat_ms is None else Heartbeat(pid, 1, phase, beat_ms * NS_PER_MS)
    observed = Observed(started_ns=0)
    observed.look(heartbeat.beat_time_ns, now_ms * NS_PER_MS, away_ns=0)
    return judge(heartbeat, PID, observed, PATIENCE)


class Supervised:
    """An actor that was started at 0, and a supervisor that looks when it is told to."""

    def __init__(self, dead_ms: int = PATIENCE.dead_ms) -> None:
        self.now_ms = 0
        self.beat_ms: int | None = None
        self.looks = 0
        self._patience = PATIENCE._replace(dead_ms=dead_ms, suspect_ms=min(PATIENCE.suspect_ms, dead_ms // 2))
        self._absences = Absences(0, dead_ms)
        self._observed = Observed(0)

    def look_after(self, pause_ms: int) -> Verdict:
        self.now_ms += pause_ms
        self.looks += 1
        heartbeat = NEVER if self.beat_ms is None else Heartbeat(PID, 1, ActorPhase.LIVE, self.beat_ms * NS_PER_MS)
        now_ns = self.now_ms * NS_PER_MS
        self._observed.look(heartbeat.beat_time_ns, now_ns, self._absences.look(now_ns))
        return judge(heartbeat, PID, self._observed, self._patience)

    def lost_after_ms(self, *pauses_ms: int) -> int:
        """Return how long it takes until it is given up, with these pauses between looks, again and again."""
        began_ms = self.now_ms
        for pause_ms in itertools.islice(itertools.cycle(pauses_ms), 1000):
            if self.look_after(pause_ms).event is Event.LOST:
                return self.now_ms - began_ms
        raise AssertionError(f"not lost after {self.now_ms - began_ms} ms")


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
    one = Supervised()
    one.beat_ms = 10
    assert one.look_after(20).event is Event.BEAT
    assert one.look_after(60_000).event is Event.BEAT
    assert one.look_after(10).event is Event.BEAT
    assert 1500 < one.lost_after_ms(10) < 2000  # and not for ever


def test_a_supervisor_that_is_stopped_again_and_again_kills_nobody_that_lives() -> None:
    one = Supervised()
    for _ in range(20):
        one.beat_ms = one.now_ms + 5  # as it thaws
        assert one.look_after(10).event is Event.BEAT
        assert one.look_after(3_600_000).event is Event.BEAT
    # If it is stopped anew before they have beaten, I expect it not to kill them either
    assert one.look_after(3_600_000).event is not Event.LOST


def test_an_actor_that_hung_while_nobody_looked_has_the_same_patience_afterwards() -> None:
    one = Supervised()
    one.look_after(10)
    one.beat_ms = 30_000
    assert one.look_after(60_000).event is Event.BEAT
    assert 1800 < one.lost_after_ms(10) < 2100


@pytest.mark.parametrize("pauses_ms", [(510,), (600, 10), (510, 400), (3000, 10, 10)])
def test_a_supervisor_that_is_always_slow_kills_who_hangs(pauses_ms: tuple[int, ...]) -> None:
    one = Supervised()
    one.beat_ms = 0
    assert one.lost_after_ms(*pauses_ms) < 60_000
    late = Supervised()  # which never gets live
    assert late.lost_after_ms(*pauses_ms) < 600_000


def test_a_supervisor_that_is_late_at_every_look_kills_who_hangs_in_little_more_than_the_time_for_it() -> None:
    one = Supervised()
    one.beat_ms = 0
    assert one.lost_after_ms(510) <= 3100
    assert Supervised().lost_after_ms(510) <= 11_500


@pytest.mark.parametrize("dead_ms", [200, 300, 500, 600, 2000])
def test_who_beats_whenever_the_machine_runs_is_never_lost_however_it_freezes(dead_ms: int) -> None:
    """It wakes up together with its supervisor, who may well look first."""
    chance = random.Random(dead_ms)
    for _ in range(200):
        one = Supervised(dead_ms)
        one.beat_ms = 0
        for _ in range(50):
            frozen_ms, runs_ms = chance.choice((0, 400, 600, 1000, 60_000)), chance.choice((1, 20, 90))
            assert one.look_after(20 + frozen_ms).event is not Event.LOST
            one.beat_ms = one.now_ms + chance.randrange(runs_ms)
            one.now_ms += runs_ms


@pytest.mark.parametrize("dead_ms", [200, 300, 500, 600, 2000])
def test_freezes_in_a_row_with_no_beat_between_take_four_at_least_and_a_look_behind_them_to_lose_an_actor(
    dead_ms: int,
) -> None:
    one = Supervised(dead_ms)
    one.beat_ms = 0
    one.look_after(10)
    for _ in range(4):
        assert one.look_after(1000).event is not Event.LOST
    one.beat_ms = one.now_ms + 1
    assert one.look_after(20).event is Event.BEAT


@pytest.mark.parametrize("dead_ms", [200, 500, 2000])
@pytest.mark.parametrize("pauses_ms", [(20,), (510,), (600, 10), (1000, 1000, 10), (3_600_000,)])
def test_who_hangs_is_lost_within_a_bounded_number_of_looks(dead_ms: int, pauses_ms: tuple[int, ...]) -> None:
    one = Supervised(dead_ms)
    one.beat_ms = 0
    one.lost_after_ms(*pauses_ms)
    assert one.looks <= dead_ms // 20 + 3


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
