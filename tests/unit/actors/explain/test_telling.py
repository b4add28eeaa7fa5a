"""An order's story in words: how long each step took."""

from __future__ import annotations

from typing import Any

from actors.explain.decision import Again, Decision
from actors.explain.story import Story
from actors.explain.telling import latencies_us

NOTHING_KNOWN = Decision(1, None, None, {}, {}, [], {}, Again("not recorded", [], 0))
CREATED_NS = 1_700_000_000_000_000_000


def sent(action: str, after_ns: int) -> dict[str, Any]:
    return {"action": action, "wish_id": 1, "time_ns": CREATED_NS - 100_000 + after_ns, "monotonic_ns": after_ns}


def said(kind: str, after_ns: int) -> dict[str, Any]:
    """What the venue says of an order carries the time at which the order was created, also after an amend."""
    return {"kind": kind, "local_monotonic_ns": after_ns, "exchange_time_ns": CREATED_NS}


def story(messages: list[dict[str, Any]], events: list[dict[str, Any]]) -> Story:
    return Story(7, "theirs", "BTC-PERPETUAL", "buy", 1.0, 0.001, events, messages, [])


def test_an_insert_is_told_with_the_stamp_that_the_venue_gave_it() -> None:
    insert = sent("insert", 1_000)
    told = latencies_us(story([insert], [said("accepted", 251_000)]), insert, NOTHING_KNOWN)
    assert told["answer"] == 250.0
    assert told["venue"] == 99.0


def test_an_amend_is_not_told_with_the_stamp_of_its_insert() -> None:
    # Given an order that was amended a second after its insert
    insert, amend = sent("insert", 1_000), sent("amend", 1_000_000_000)
    events = [said("accepted", 251_000), said("amended", 1_000_300_000)]
    # If its times are told
    told = latencies_us(story([insert, amend], events), amend, NOTHING_KNOWN)
    # I expect the answer, and no stamp a second before the amend was sent
    assert told["answer"] == 300.0
    assert told["venue"] is None
