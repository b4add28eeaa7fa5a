"""What risk keeps on disk, and who may take it over."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import pytest

from domain.clock import NS_PER_S
from domain.errors import UserError
from trading.risk.latch import (
    FILE_NAME,
    KILL_FILE_NAME,
    KillMark,
    Opening,
    RiskMemory,
    clear_kill_mark,
    kill_mark_bytes,
    load_memory,
    memory_bytes,
    take_kill_mark,
)
from trading.risk.states import Cause, Latched

DAY_NS = 86_400 * NS_PER_S
MEMORY = RiskMemory(
    run="20261121-local",
    day=20_778,
    day_start_equity=-1.5,
    equity_peak=12.25,
    openings={"BTC-PERPETUAL": Opening(Decimal("-0.010"), Decimal("100000.5"), Decimal("0.01"))},
    limits={"position_max_base": 0.05},
    latched=[Latched(Cause.LOSS_FROM_PEAK, "lost 300", 5)],
)


def test_what_was_saved_is_loaded_exactly(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(memory_bytes(MEMORY))
    assert load_memory(tmp_path) == MEMORY
    assert load_memory(tmp_path).for_run("20261121-local", "") == MEMORY


def test_another_run_takes_over_the_latch_and_nothing_else() -> None:
    assert MEMORY.for_run("20261122-local", "") == RiskMemory(run="20261122-local", latched=MEMORY.latched)


def test_nothing_saved_is_an_empty_memory(tmp_path: Path) -> None:
    assert load_memory(tmp_path) == RiskMemory()


@pytest.mark.parametrize("content", [b"", b"{", b'{"latched": 3}', b'{"latched":[{"cause":"moon"}]}'])
def test_a_broken_file_stops_the_start_because_a_halt_may_stand_in_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(UserError, match=r"risk\.json: cannot be read"):
        load_memory(tmp_path)


def test_the_mark_of_a_kill_is_a_latched_cause_until_it_is_cleared(tmp_path: Path) -> None:
    # Given no mark, then one
    assert take_kill_mark(tmp_path) is None
    (tmp_path / KILL_FILE_NAME).write_bytes(kill_mark_bytes(KillMark(99, "killed")))
    # If it is looked for, I expect it as a cause, as often as one looks
    assert take_kill_mark(tmp_path) == take_kill_mark(tmp_path) == Latched(Cause.KILLED, "killed", 99)
    clear_kill_mark(tmp_path)
    assert take_kill_mark(tmp_path) is None


def test_an_unreadable_mark_counts_as_one(tmp_path: Path) -> None:
    (tmp_path / KILL_FILE_NAME).write_bytes(b"half a wri")
    mark = take_kill_mark(tmp_path)
    assert mark is not None
    assert mark.cause is Cause.KILLED


def test_a_process_that_never_saw_the_account_forgets_nothing_of_the_day() -> None:
    # Given a run that lost 80 of the day, whose risk began anew and ended before it knew the account
    lost = RiskMemory(run="a", account="thalex", day=20_000, day_start_equity=0.0, equity=-80.0)
    blind = lost.drawdown()
    blind.update(math.nan, 20_000 * DAY_NS)
    kept = RiskMemory(
        run="a", account="thalex", day=blind.day, day_start_equity=blind.day_start_equity, equity=blind.known_equity
    )
    # If the next run on the account begins, I expect the loss to count on
    assert kept.for_run("b", "thalex").day_start_equity == 80.0


def test_the_loss_of_a_day_goes_on_in_the_next_run_of_the_same_account() -> None:
    # Given a run that lost 120 of what it had made at the day's start
    lost = RiskMemory(run="a", account="thalex", day=20_000, day_start_equity=20.0, equity=-100.0)
    # If the next run on the account begins
    memory = lost.for_run("b", "thalex")
    drawdown = memory.drawdown()
    drawdown.update(-1.0, 20_000 * DAY_NS + 5)
    # I expect the day's loss to count on, until the day ends; and nothing of it in another account
    assert drawdown.of_day == 121.0
    drawdown.update(-1.0, 20_001 * DAY_NS)
    assert drawdown.of_day == 0.0
    assert lost.for_run("b", "another") == RiskMemory(run="b", account="another")
