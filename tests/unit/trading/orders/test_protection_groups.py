"""Market-maker protection, as we know it."""

from __future__ import annotations

from trading.orders.protection_groups import RETRY_NS, GroupState, ProtectionGroups

F = "FBTCUSD"


def protected(cooldown_ns: int = 100, window_ns: int = 50) -> ProtectionGroups:
    groups = ProtectionGroups(cooldown_ns, window_ns)
    groups.set_sent(F)
    groups.confirmed(F)
    return groups


def test_a_group_is_set_before_it_is_in_force() -> None:
    groups = ProtectionGroups(100, 50)
    assert groups.must_set(F, 0)
    groups.set_sent(F)
    assert groups.state(F, 0) is GroupState.SETTING
    assert not groups.must_set(F, 0)
    groups.confirmed(F)
    assert groups.state(F, 0) is GroupState.SET


def test_a_refused_group_is_tried_again_after_a_pause() -> None:
    groups = ProtectionGroups(100, 50)
    groups.set_sent(F)
    groups.refused(F, 10)
    assert not groups.must_set(F, 10)
    assert groups.must_set(F, 10 + RETRY_NS)


def test_a_group_that_is_used_up_counts_once_and_cools_down() -> None:
    groups = protected(cooldown_ns=100)
    assert groups.used_up(F, 1000)
    assert not groups.used_up(F, 1001)  # the venue says it twice: of the group, and of each order
    assert groups.triggers == 1
    assert groups.cooling(1099) == [F]
    assert not groups.must_set(F, 1099)
    assert groups.must_set(F, 1100)
    assert groups.cooling(1100) == []


def test_a_reset_takes_groups_away_but_ends_no_cool_down() -> None:
    groups = protected()
    groups.used_up(F, 1000)
    groups.reset()
    assert groups.state(F, 1001) is GroupState.COOLING
    groups = protected()
    groups.reset([F])
    assert groups.must_set(F, 0)


def test_what_the_venue_deletes_while_it_is_set_anew_does_not_count() -> None:
    groups = protected()
    groups.reset([F])
    groups.set_sent(F)
    groups.is_unset(F)  # the late word on the group before
    groups.confirmed(F)
    assert groups.state(F, 0) is GroupState.SET
    groups.is_unset(F)
    assert groups.must_set(F, 0)


def test_a_used_group_is_filled_up_after_its_window_and_stays_in_force_meanwhile() -> None:
    groups = protected(window_ns=50)
    groups.used(F, 1000)
    groups.used(F, 1040)
    assert not groups.must_fill_up(F, 1049)
    assert groups.must_fill_up(F, 1050)
    groups.set_sent(F)
    assert groups.state(F, 1050) is GroupState.SET
    assert not groups.must_fill_up(F, 2000)


def test_a_window_of_0_never_fills_up() -> None:
    groups = protected(window_ns=0)
    groups.used(F, 1000)
    assert not groups.must_fill_up(F, 10**18)
