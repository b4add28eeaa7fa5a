from __future__ import annotations

import re

from venues.thalex import book_channel
from venues.thalex.book_channel import TRANSITIONS, BookChannel, BookState

INTERVAL_NS = 1_000


def _live(now_ns: int = 0) -> BookChannel:
    channel = BookChannel("book.X.none.10.raw", INTERVAL_NS)
    channel.move("connected", now_ns)
    assert channel.accepts(True, now_ns)
    return channel


def test_every_state_has_a_row_and_ends_when_the_connection_does():
    assert set(TRANSITIONS) == set(BookState)
    for state, row in TRANSITIONS.items():
        if state is not BookState.IDLE:
            assert row["closed"] is BookState.IDLE


def test_the_drawn_table_names_every_state():
    assert book_channel.__doc__ is not None
    assert all(re.search(state.name, book_channel.__doc__) for state in BookState)


def test_changes_are_refused_until_the_snapshot_came():
    channel = BookChannel("c", INTERVAL_NS)
    assert not channel.accepts(True, 0)  # not even subscribed
    channel.move("connected", 0)
    assert not channel.accepts(False, 0)
    assert channel.accepts(True, 0)
    assert channel.accepts(False, 0)
    assert channel.accepts(True, 0)  # a second snapshot replaces the first


def test_a_doubted_book_leaves_and_joins_again():
    channel = _live()
    channel.doubt(10)
    assert not channel.accepts(False, 10)
    assert channel.is_resync_due(10)
    assert channel.state is BookState.LEAVING
    assert not channel.is_resync_due(11)
    assert not channel.accepts(True, 12)  # of the old subscription
    assert channel.move("left", 13)
    assert not channel.accepts(False, 14)
    assert channel.accepts(True, 15)
    assert channel.resyncs == 1


def test_resyncs_keep_an_interval_so_that_a_crossed_market_is_not_hammered():
    channel = _live()
    channel.doubt(0)
    assert channel.is_resync_due(0)
    channel.move("left", 1)
    assert channel.accepts(True, 2)
    channel.doubt(3)
    assert not channel.is_resync_due(INTERVAL_NS - 1)
    assert channel.is_resync_due(INTERVAL_NS)


def test_a_snapshot_that_does_not_come_is_asked_for_again():
    channel = BookChannel("c", INTERVAL_NS)
    channel.move("connected", 0)
    assert not channel.is_resync_due(INTERVAL_NS)
    assert channel.is_resync_due(INTERVAL_NS + 1)


def test_an_unsubscription_that_is_not_answered_is_sent_again():
    channel = _live()
    channel.doubt(0)
    assert channel.is_resync_due(0)
    assert channel.is_resync_due(INTERVAL_NS + 1)
    assert channel.resyncs == 2


def test_nothing_is_due_without_a_connection():
    channel = _live()
    channel.doubt(0)
    channel.move("closed", 1)
    assert not channel.is_resync_due(10 * INTERVAL_NS)
    channel.doubt(2)
    assert channel.state is BookState.IDLE
