"""The table of order states is complete, and says what it must."""

from __future__ import annotations

import pytest

from trading.orders.states import (
    CLOSED_STATES,
    IN_FLIGHT_STATES,
    LAST_WORDS,
    OWN_TRIGGERS,
    TRANSITIONS,
    OrderState,
    OrderTrigger,
    next_state,
)

OUTSIDE_TRIGGERS = set(OrderTrigger) - OWN_TRIGGERS


@pytest.mark.parametrize("state", OrderState)
def test_every_outside_event_has_an_entry_in_every_state(state: OrderState) -> None:
    assert set(TRANSITIONS[state]) >= OUTSIDE_TRIGGERS


def test_we_amend_only_what_works_and_cancel_all_that_may_be_open_but_once_without_doubt() -> None:
    may = {trigger: {state for state in OrderState if trigger in TRANSITIONS[state]} for trigger in OWN_TRIGGERS}
    assert may[OrderTrigger.AMEND_SENT] == {OrderState.WORKING}
    assert may[OrderTrigger.CANCEL_SENT] == set(OrderState) - CLOSED_STATES - {OrderState.PENDING_CANCEL}


def test_a_cancel_of_what_is_in_doubt_ends_no_doubt_by_itself() -> None:
    assert next_state(OrderState.UNKNOWN, OrderTrigger.CANCEL_SENT) is OrderState.UNKNOWN


def test_an_action_that_the_state_does_not_allow_is_an_assertion() -> None:
    with pytest.raises(AssertionError, match="AMEND_SENT is not allowed in UNKNOWN"):
        next_state(OrderState.UNKNOWN, OrderTrigger.AMEND_SENT)


@pytest.mark.parametrize("state", LAST_WORDS)
def test_the_last_word_of_the_venue_is_never_taken_back(state: OrderState) -> None:
    assert set(TRANSITIONS[state].values()) == {state}


@pytest.mark.parametrize("state", [OrderState.REJECTED, OrderState.ABSENT])
def test_an_order_given_up_for_dead_is_revived_by_a_report_that_shows_it(state: OrderState) -> None:
    for trigger in (OrderTrigger.OPENED, OrderTrigger.CONFIRMED, OrderTrigger.SHOWN_OPEN):
        assert next_state(state, trigger) is OrderState.WORKING


def test_no_answer_leads_to_unknown_from_every_live_state_and_unknown_is_live() -> None:
    for state in set(OrderState) - CLOSED_STATES:
        assert next_state(state, OrderTrigger.DOUBT) is OrderState.UNKNOWN
    assert OrderState.UNKNOWN not in CLOSED_STATES


def test_what_is_in_flight_is_not_given_up_because_a_list_does_not_show_it() -> None:
    for state in IN_FLIGHT_STATES:
        assert next_state(state, OrderTrigger.SHOWN_ABSENT) is state


def test_a_refused_amend_leaves_the_order_working_and_a_refused_cancel_leaves_doubt() -> None:
    assert next_state(OrderState.PENDING_AMEND, OrderTrigger.AMEND_REFUSED) is OrderState.WORKING
    assert next_state(OrderState.PENDING_CANCEL, OrderTrigger.CANCEL_REFUSED) is OrderState.UNKNOWN


def test_only_what_we_sent_or_the_venue_showed_can_be_live_again() -> None:
    # Every way out of a closed state leads to another closed state or to WORKING, never to a state in flight
    for state in CLOSED_STATES:
        assert set(TRANSITIONS[state].values()) <= CLOSED_STATES | {OrderState.WORKING}
