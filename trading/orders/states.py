"""The life of one order, as one table.

    PENDING_NEW ──> WORKING <──> PENDING_AMEND          FILLED, CANCELLED   the venue's last word
         │             │               │                REJECTED            the venue never took it
         └─────────────┴───────────────┴──> PENDING_CANCEL
    any of them ──> UNKNOWN ──> WORKING, or ABSENT      ABSENT              two queries did not show it

Three rules shape the table:

- What was sent and not answered is a state of its own: the order counts as live, at the worse of the old and
  the new terms, until the venue has spoken.
- UNKNOWN (no answer in time, a broken connection, answers that contradict each other) counts as live too. Only
  the venue ends it: by a report on the order, or by a query asked after the doubt arose. Nothing but a cancel,
  which does no harm twice, is sent before, and that ends no doubt by itself.
- The venue's last word on an order is never taken back by an older message that comes late. ABSENT and
  REJECTED are not last words: a report that shows the order open revives it.

Every event that comes from outside has an entry in every state, so no interleaving can fall out of the
table; what we do ourselves (AMEND_SENT, CANCEL_SENT) has one only where it is allowed.
"""

from __future__ import annotations

from enum import IntEnum, auto


class OrderState(IntEnum):
    """Where an order is, as far as we know. The closed states come last."""

    PENDING_NEW = auto()  # sent, unanswered
    WORKING = auto()  # open at the venue, nothing in flight
    PENDING_AMEND = auto()  # open, an amend is unanswered
    PENDING_CANCEL = auto()  # a cancel is unanswered (an insert or amend before it may be, too)
    UNKNOWN = auto()  # counts as live until the venue says otherwise
    FILLED = auto()
    CANCELLED = auto()
    REJECTED = auto()
    ABSENT = auto()  # the venue, asked, does not know it as open


class OrderTrigger(IntEnum):
    """What moves an order from state to state."""

    OPENED = auto()  # a report shows it open, and answers nothing that we asked
    CONFIRMED = auto()  # a report shows it open, and answers the insert or amend in flight
    CLOSED_FILLED = auto()
    CLOSED_CANCELLED = auto()
    INSERT_REJECTED = auto()
    AMEND_REFUSED = auto()  # the order stands as it was
    CANCEL_REFUSED = auto()
    NOT_FOUND = auto()  # the venue does not know the order that we wanted to amend or cancel
    DOUBT = auto()  # no answer in time, disconnected, or a contradiction
    SHOWN_OPEN = auto()  # a query, asked after the order's last change, shows it
    SHOWN_ABSENT = auto()  # a query, asked after the order's last change, does not
    AMEND_SENT = auto()
    CANCEL_SENT = auto()


OWN_TRIGGERS = frozenset({OrderTrigger.AMEND_SENT, OrderTrigger.CANCEL_SENT})
# One whose cancel is out waits for its answer, one in doubt for the audit.
CANCELLABLE_STATES = frozenset({OrderState.PENDING_NEW, OrderState.WORKING, OrderState.PENDING_AMEND})
CLOSED_STATES = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.ABSENT})
IN_FLIGHT_STATES = frozenset({OrderState.PENDING_NEW, OrderState.PENDING_AMEND, OrderState.PENDING_CANCEL})
LAST_WORDS = frozenset({OrderState.FILLED, OrderState.CANCELLED})

_S, _T = OrderState, OrderTrigger

TRANSITIONS: dict[OrderState, dict[OrderTrigger, OrderState]] = {
    _S.PENDING_NEW: {
        _T.OPENED: _S.WORKING,
        _T.CONFIRMED: _S.WORKING,
        _T.CLOSED_FILLED: _S.FILLED,
        _T.CLOSED_CANCELLED: _S.CANCELLED,
        _T.INSERT_REJECTED: _S.REJECTED,
        _T.AMEND_REFUSED: _S.UNKNOWN,  # nothing was amended: a contradiction
        _T.CANCEL_REFUSED: _S.UNKNOWN,
        _T.NOT_FOUND: _S.UNKNOWN,
        _T.DOUBT: _S.UNKNOWN,
        _T.SHOWN_OPEN: _S.WORKING,
        _T.SHOWN_ABSENT: _S.PENDING_NEW,  # it may still be on its way
        _T.CANCEL_SENT: _S.PENDING_CANCEL,
    },
    _S.WORKING: {
        _T.OPENED: _S.WORKING,
        _T.CONFIRMED: _S.WORKING,
        _T.CLOSED_FILLED: _S.FILLED,
        _T.CLOSED_CANCELLED: _S.CANCELLED,
        _T.INSERT_REJECTED: _S.UNKNOWN,
        _T.AMEND_REFUSED: _S.UNKNOWN,
        _T.CANCEL_REFUSED: _S.UNKNOWN,
        _T.NOT_FOUND: _S.UNKNOWN,
        _T.DOUBT: _S.UNKNOWN,
        _T.SHOWN_OPEN: _S.WORKING,
        _T.SHOWN_ABSENT: _S.UNKNOWN,  # asked once more before it is let go
        _T.AMEND_SENT: _S.PENDING_AMEND,
        _T.CANCEL_SENT: _S.PENDING_CANCEL,
    },
    _S.PENDING_AMEND: {
        _T.OPENED: _S.PENDING_AMEND,
        _T.CONFIRMED: _S.WORKING,
        _T.CLOSED_FILLED: _S.FILLED,
        _T.CLOSED_CANCELLED: _S.CANCELLED,
        _T.INSERT_REJECTED: _S.UNKNOWN,
        _T.AMEND_REFUSED: _S.WORKING,
        _T.CANCEL_REFUSED: _S.UNKNOWN,
        _T.NOT_FOUND: _S.UNKNOWN,  # filled or cancelled meanwhile; its report is on the way, or lost
        _T.DOUBT: _S.UNKNOWN,
        _T.SHOWN_OPEN: _S.PENDING_AMEND,
        _T.SHOWN_ABSENT: _S.PENDING_AMEND,
        _T.CANCEL_SENT: _S.PENDING_CANCEL,
    },
    _S.PENDING_CANCEL: {
        _T.OPENED: _S.PENDING_CANCEL,
        _T.CONFIRMED: _S.PENDING_CANCEL,
        _T.CLOSED_FILLED: _S.FILLED,
        _T.CLOSED_CANCELLED: _S.CANCELLED,
        _T.INSERT_REJECTED: _S.REJECTED,
        _T.AMEND_REFUSED: _S.PENDING_CANCEL,
        _T.CANCEL_REFUSED: _S.UNKNOWN,
        _T.NOT_FOUND: _S.UNKNOWN,
        _T.DOUBT: _S.UNKNOWN,
        _T.SHOWN_OPEN: _S.PENDING_CANCEL,
        _T.SHOWN_ABSENT: _S.PENDING_CANCEL,
    },
    _S.UNKNOWN: {
        _T.OPENED: _S.UNKNOWN,
        _T.CONFIRMED: _S.WORKING,
        _T.CLOSED_FILLED: _S.FILLED,
        _T.CLOSED_CANCELLED: _S.CANCELLED,
        _T.INSERT_REJECTED: _S.REJECTED,
        _T.AMEND_REFUSED: _S.UNKNOWN,
        _T.CANCEL_REFUSED: _S.UNKNOWN,
        _T.NOT_FOUND: _S.UNKNOWN,
        _T.DOUBT: _S.UNKNOWN,
        _T.SHOWN_OPEN: _S.WORKING,
        _T.SHOWN_ABSENT: _S.ABSENT,
        _T.CANCEL_SENT: _S.UNKNOWN,
    },
    _S.FILLED: {trigger: _S.FILLED for trigger in OrderTrigger if trigger not in OWN_TRIGGERS},
    _S.CANCELLED: {trigger: _S.CANCELLED for trigger in OrderTrigger if trigger not in OWN_TRIGGERS},
    _S.REJECTED: {
        **{trigger: _S.REJECTED for trigger in OrderTrigger if trigger not in OWN_TRIGGERS},
        _T.OPENED: _S.WORKING,
        _T.CONFIRMED: _S.WORKING,
        _T.SHOWN_OPEN: _S.WORKING,
        _T.CLOSED_FILLED: _S.FILLED,
        _T.CLOSED_CANCELLED: _S.CANCELLED,
    },
    _S.ABSENT: {
        **{trigger: _S.ABSENT for trigger in OrderTrigger if trigger not in OWN_TRIGGERS},
        _T.OPENED: _S.WORKING,
        _T.CONFIRMED: _S.WORKING,
        _T.SHOWN_OPEN: _S.WORKING,
        _T.CLOSED_FILLED: _S.FILLED,
        _T.CLOSED_CANCELLED: _S.CANCELLED,
    },
}
assert set(TRANSITIONS) == set(OrderState)
assert {state for state in OrderState if state >= OrderState.FILLED} == CLOSED_STATES


def next_state(state: OrderState, trigger: OrderTrigger) -> OrderState:
    """Return the state that follows; an own action that the state does not allow is an assertion."""
    following = TRANSITIONS[state].get(trigger)
    assert following is not None, f"{trigger.name} is not allowed in {state.name}"
    return following
