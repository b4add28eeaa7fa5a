from __future__ import annotations

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import OffReason
from tests.quoting_case import BARE, Case

FILTER = BARE.with_values({"shaping.tick_filter": True, "shaping.tick_filter_ticks": 5})
REFUSED = (OffReason.TICK_REFUSED, OffReason.TICK_REFUSED)


def settled() -> Case:
    case = Case(FILTER)
    for _ in range(10):
        case.tick(NS_PER_S)
    return case


def reasons(case: Case) -> tuple[OffReason, OffReason]:
    case.decide()
    return case.quoter.off_reasons


def test_a_jump_is_refused_and_leaves_no_trace_once_it_is_gone() -> None:
    # Given a settled market, and one book 3 % away
    case = settled()
    samples = case.quoter.record["state"]["sigma_variance"].copy()
    case.set_book(103_000.0, 103_001.0)
    case.tick(NS_PER_MS)
    assert reasons(case) == REFUSED
    # If the next one is where the market was, I expect quotes again and no return from the jump
    case.set_book(100_000.0, 100_001.0)
    case.tick(NS_PER_S)
    assert reasons(case) == (OffReason.QUOTED, OffReason.QUOTED)
    assert case.quoter.record["state"]["sigma_variance"] < samples


def test_a_true_gap_is_taken_after_as_many_books_that_agree() -> None:
    # If the market stays 3 % away
    case = settled()
    case.set_book(103_000.0, 103_001.0)
    seen = []
    for _ in range(6):
        case.tick(10 * NS_PER_MS)
        seen.append(reasons(case)[0])
    # I expect it to be the market from the fifth book on
    assert seen == [OffReason.TICK_REFUSED] * 4 + [OffReason.QUOTED] * 2
    assert case.seen()["mid_price"] == 103_000.5
    # and the gap to be no return
    assert float(case.quoter.record["state"]["sigma_anchor_mid"][0]) == 103_000.5


def test_books_that_disagree_never_end_the_refusal() -> None:
    case = settled()
    for i in range(20):
        bid = 104_000.0 if i % 2 else 110_000.0
        case.set_book(bid, bid + 1.0)
        case.tick(10 * NS_PER_MS)
        assert reasons(case) == REFUSED


def test_a_slow_move_of_any_size_is_never_refused() -> None:
    case = settled()
    for i in range(200):
        bid = round(100_000.0 * 1.0005**i)
        case.set_book(bid, bid + 1.0)
        case.tick(NS_PER_S)
        assert reasons(case)[0] != OffReason.TICK_REFUSED
