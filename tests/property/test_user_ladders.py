"""Whatever a user's strategy writes into its ladder, what is left of it keeps the book, itself and every limit."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.codes import OffReason
from domain.records import QUOTE_LEVELS_MAX
from tests.quoting_case import BARE, Case
from trading.quoting.user.guard import check_ladder

NEAR = st.integers(99_900, 100_100)
ANY = st.one_of(NEAR, st.integers(-(2**63), 2**63 - 1), st.just(-(2**63)), st.just(0))
LOTS = st.one_of(st.integers(1, 4000), ANY)
SIDE = st.tuples(
    st.one_of(st.integers(0, QUOTE_LEVELS_MAX), st.integers(-(2**63), 2**63 - 1)),
    st.lists(ANY, min_size=QUOTE_LEVELS_MAX, max_size=QUOTE_LEVELS_MAX),
    st.lists(LOTS, min_size=QUOTE_LEVELS_MAX, max_size=QUOTE_LEVELS_MAX),
    st.sampled_from([0, 4, 16]),
)
# What a strategy would rather write: levels in order, away from the touch.
ORDERLY = st.builds(
    lambda count, start, step, lots: (
        count, [start + step * i for i in range(QUOTE_LEVELS_MAX)], [lots] * QUOTE_LEVELS_MAX, 0
    ),
    st.integers(1, QUOTE_LEVELS_MAX), st.integers(0, 20), st.integers(1, 5), st.integers(1, 2000),
)  # fmt: skip


def write(ladder: object, side: str, wanted: tuple[int, list[int], list[int], int], sign: int, best: int) -> None:
    count, prices, sizes, reason = wanted
    ladder[f"{side}_count"] = count  # type: ignore[index]
    ladder[f"{side}_off_reason"] = reason  # type: ignore[index]
    ladder[f"{side}_price_ticks"][:] = [best + sign * price for price in prices] if best else prices  # type: ignore[index]
    ladder[f"{side}_size_lots"][:] = sizes  # type: ignore[index]


@given(bids=SIDE, asks=SIDE, orderly_bids=st.none() | ORDERLY, orderly_asks=st.none() | ORDERLY,
       position=st.integers(-12_000, 12_000))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_no_ladder_gets_past_the_guard_with_anything_wrong(
    bids: tuple[int, list[int], list[int], int],
    asks: tuple[int, list[int], list[int], int],
    orderly_bids: tuple[int, list[int], list[int], int] | None,
    orderly_asks: tuple[int, list[int], list[int], int] | None,
    position: int,
) -> None:
    # Given a market at 100,000 / 100,001 and any ladder
    case = Case(BARE)
    case.limits["order_lots_max"] = 1500
    case.hold(position)
    case.quote()
    q = case.quoter.record[0]
    ladder = q["ladder"]
    write(ladder, "bid", orderly_bids or bids, -1, 100_000 if orderly_bids else 0)
    write(ladder, "ask", orderly_asks or asks, 1, 100_001 if orderly_asks else 0)
    # If it passes the guard
    check_ladder(q)
    # I expect each side empty with a reason, or whole and within all rules
    hard = int(q["params"]["position_hard_lots"])
    for side, direction, held in (("bid", -1, position), ("ask", 1, -position)):
        count = int(ladder[f"{side}_count"])
        prices = [int(price) for price in ladder[f"{side}_price_ticks"]]
        sizes = [int(size) for size in ladder[f"{side}_size_lots"]]
        assert prices[count:] == sizes[count:] == [0] * (QUOTE_LEVELS_MAX - count)
        assert (count == 0) == (ladder[f"{side}_off_reason"] != OffReason.QUOTED)
        if count:
            assert all((b - a) * direction > 0 for a, b in itertools.pairwise(prices[:count]))
            assert prices[0] <= 100_000 if side == "bid" else prices[0] >= 100_001
            assert all(0 < size <= 1500 for size in sizes[:count])
            assert held + sum(sizes) <= hard
    if ladder["bid_count"] and ladder["ask_count"]:
        assert ladder["bid_price_ticks"][0] < ladder["ask_price_ticks"][0]
    # and an orderly side within the limits untouched, unless the other one takes both away
    is_fine = orderly_bids and orderly_bids[2][0] <= 1500 and position + orderly_bids[0] * orderly_bids[2][0] <= hard
    if is_fine and ladder["ask_off_reason"] != OffReason.CROSSED:
        assert orderly_bids is not None
        assert ladder["bid_count"] == orderly_bids[0]
