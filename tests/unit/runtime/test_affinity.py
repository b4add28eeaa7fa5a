from __future__ import annotations

from runtime.affinity import SHARED, describe, plan, plan_background

ACTORS = ("market_data", "risk", "execution", "strategy")


def test_every_actor_gets_a_core_of_its_own_where_there_are_enough() -> None:
    placements = plan(ACTORS, range(8))
    cores = [placements[name].core for name in ACTORS]
    assert len(set(cores)) == 4
    assert 0 not in cores  # left to the supervisor and the system
    assert all(placements[name].is_exclusive for name in ACTORS)


def test_on_two_cores_all_share_and_it_is_said() -> None:
    placements = plan(ACTORS, [0, 1])
    assert {placed.core for placed in placements.values()} == {SHARED}
    assert all(placed.cores == {0, 1} for placed in placements.values())
    assert "share cores [0, 1]" in describe(placements)
    assert "nothing spins" in describe(placements)


def test_who_shares_is_named_those_in_the_background_too() -> None:
    shared = describe(plan(ACTORS, [0, 1]), ["recorder"])
    assert shared == (
        "cores: market_data, risk, execution, strategy, recorder share cores [0, 1] "
        "(a core each, but for recorder, needs 5); nothing spins"
    )


def test_with_a_core_too_few_neighbours_in_the_flow_sit_apart_and_none_is_exclusive() -> None:
    placements = plan(ACTORS, [0, 1, 2, 3])
    assert placements["market_data"].cores != placements["risk"].cores
    assert not any(placed.is_exclusive for placed in placements.values())


def test_only_cores_that_we_may_use_are_planned() -> None:
    assert set().union(*(placed.cores for placed in plan(ACTORS, [4, 6, 8, 10, 12]).values())) <= {6, 8, 10, 12}


def test_what_nobody_waits_for_goes_to_the_core_that_is_left_to_the_supervisor() -> None:
    assert plan_background(range(8)) == ({0}, SHARED)
    assert plan_background([0, 1]) == ({0, 1}, SHARED)
