"""The parts of a profit add up to it, whatever was filled and wherever the market went."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from backtest.metrics.leg import UNKNOWN_MID
from backtest.metrics.split import net_of, split_of
from backtest.metrics.statistics import statistics
from tests.leg_case import Fill, leg

mids = st.one_of(st.integers(2, 2_000_000), st.just(UNKNOWN_MID))
fills = st.builds(
    Fill, time_s=st.floats(0, 60), side=st.sampled_from([1, -1]), ticks=st.integers(1, 10**6),
    lots=st.integers(1, 10**9), mid2=mids, mid2_1s=mids, mid2_5s=mids, mid2_30s=mids,
    fee=st.integers(-(10**12), 10**12),
)  # fmt: skip
ends = st.one_of(st.none(), st.integers(2, 2_000_000))
fundings = st.decimals(min_value=-1000, max_value=1000, places=8)


@given(st.lists(fills, max_size=20), ends, ends, st.integers(-1000, 1000), fundings)
def test_the_parts_add_up_to_the_profit_to_the_last_digit(
    happened: list[Fill], begin: int | None, end: int | None, held: int, funding: Decimal
) -> None:
    run = leg(happened, begin_mid2=begin, end_mid2=end, begin_lots=held, funding=funding)
    split = split_of(run)
    assert sum(split, Decimal(0)) == split.net == net_of(run)
    assert split.fees == -run.fees
    assert split.funding == funding


@given(st.lists(fills, max_size=20), st.integers(0, 90))
def test_nothing_told_of_a_run_is_infinite_or_without_a_reason(happened: list[Fill], seconds: int) -> None:
    told = statistics([leg(happened, seconds=seconds)])
    for name, value in told.values.items():
        assert (value is None) == (name in told.why_null), name
        assert value is None or abs(value) < float("inf"), (name, value)
