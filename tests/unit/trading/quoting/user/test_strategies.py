"""A user's strategy in a quoter: what it may do, and what never gets through."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain import jit
from domain.codes import OffReason
from domain.errors import ConfigError
from domain.order import TradingState
from tests.quoting_case import BARE, Case
from trading.quoting.config import QuotingConfig
from trading.quoting.user.code import STANDARD, load_code

HEAD = """
from trading.quoting import standard
from trading.quoting.standard import on_book, on_fill, on_trade

"""
LADDER = (
    HEAD
    + """
parameters = {"bid_ticks": 99_990.0, "ask_ticks": 100_010.0, "lots": 10.0, "levels": 1.0, "step": 5.0}


def quote(q):
    own = q["user"]
    ladder = q["ladder"]
    levels = int(own["levels"])
    ladder["bid_count"] = levels
    ladder["ask_count"] = levels
    for i in range(min(levels, 8)):
        ladder["bid_price_ticks"][i] = int(own["bid_ticks"]) - i * int(own["step"])
        ladder["ask_price_ticks"][i] = int(own["ask_ticks"]) + i * int(own["step"])
        ladder["bid_size_lots"][i] = int(own["lots"])
        ladder["ask_size_lots"][i] = int(own["lots"])
"""
)
# The same market for all: 100,000 / 100,001, position 0, hard limit 10 base = 10,000 lots.
MARKET = BARE.with_values({"position_soft_base": 10.0})


@pytest.fixture(autouse=True)
def _generated_modules_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(jit.ENV_CACHE_DIR, str(tmp_path / "cache"))


def own(tmp_path: Path, text: str, around: QuotingConfig = MARKET, **user: float) -> Case:
    """Return a market with a quoter that runs this text, with these parameters."""
    path = tmp_path / "my_strategy.py"
    path.write_text(text)
    config = around.with_values({"file": str(path), "user": user})
    return Case(config, code=load_code(config))


def reconfigure(case: Case, **user: float) -> int:
    """Let the user's parameters change while it runs; return the new hash."""
    path = str(case.quoter.code.strategy.path) if case.quoter.code.strategy else ""
    return case.quoter.configure(MARKET.with_values({"file": path, "user": user}), case.units)


def quoted(tmp_path: Path, text: str, **user: float) -> dict[str, Any]:
    """Return one quote of a strategy file with these parameters."""
    return own(tmp_path, text, **user).quote()


def test_without_a_file_the_standard_strategy_runs() -> None:
    assert load_code(MARKET) is STANDARD
    assert STANDARD.is_standard


def test_a_file_that_only_takes_over_quotes_as_the_standard_strategy_does(tmp_path: Path) -> None:
    # Given a file that imports all four functions
    text = "from trading.quoting.standard import on_book, on_fill, on_trade, quote\n"
    mine = own(tmp_path, text, BARE)
    standard = Case(BARE)
    for position in (0, 2000, -500):
        for case in (mine, standard):
            case.hold(position)
        first, second = mine.quote(100_000_000), standard.quote(100_000_000)
        # I expect the same quotes, but for the hash of what made them
        assert first.pop("params_hash") != second.pop("params_hash")
        assert str(first) == str(second)  # NaN is not equal to itself


def test_a_strategy_quotes_its_own_prices_and_sizes(tmp_path: Path) -> None:
    view = quoted(tmp_path, LADDER, levels=2, lots=7)
    assert view["is_written"]
    assert (view["bids"], view["asks"]) == ([99_990, 99_985], [100_010, 100_015])
    assert (view["bid_lots"], view["ask_lots"]) == ([7, 7], [7, 7])
    assert (view["bid_off_reason"], view["ask_off_reason"]) == (OffReason.QUOTED, OffReason.QUOTED)
    assert (view["quote_bid_ticks"], view["quote_ask_ticks"]) == (99_990, 100_010)


def test_a_strategy_remembers_and_its_parameters_may_change(tmp_path: Path) -> None:
    # Given a strategy that counts books and leans by it
    text = """
from trading.quoting import standard
from trading.quoting.standard import on_fill, on_trade
parameters = {"step": (10.0, 0.0, 50.0)}
state = {"books": 100.0}
def on_book(q):
    standard.on_book(q)
    q["user"]["books"] += 1.0
def quote(q):
    standard.place(q, 99_000.0 + q["user"]["step"] * (q["user"]["books"] - 100.0), 101_000.0)
"""
    case = own(tmp_path, text)
    hashes = {reconfigure(case)}
    assert case.quote()["bids"][0] == 99_010
    assert case.quote()["bids"][0] == 99_020
    # If the parameter changes, I expect it to act at once, and another hash
    hashes.add(reconfigure(case, step=40.0))
    assert case.decide()["bids"][0] == 99_080
    assert len(hashes) == 2
    # If it is out of its bounds, a refusal and no change
    with pytest.raises(ConfigError, match=r"step = 60: .*my_strategy.py wants 0 to 50"):
        reconfigure(case, step=60.0)
    assert case.decide()["bids"][0] == 99_080
    # If it starts cold, I expect its memory where the file lets it begin
    case.quoter.forget_state()
    assert case.quote()["bids"][0] == 99_040


def test_two_strategies_run_side_by_side(tmp_path: Path) -> None:
    first = own(tmp_path, LADDER)
    second = own(tmp_path, LADDER.replace("99_990.0", "99_980.0"))
    assert first.quote()["bids"] == [99_990]
    assert second.quote()["bids"] == [99_980]
    assert first.quote()["bids"] == [99_990]


# ---- what does not get through -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "bid", "ask"),
    [
        ({"bid_ticks": 100_001.0}, OffReason.CROSSED, OffReason.QUOTED),  # reaches the best ask
        ({"ask_ticks": 100_000.0}, OffReason.QUOTED, OffReason.CROSSED),
        ({"bid_ticks": 0.0}, OffReason.NOT_FINITE, OffReason.QUOTED),
        ({"bid_ticks": -5.0}, OffReason.NOT_FINITE, OffReason.QUOTED),
        ({"lots": 0.0}, OffReason.NOT_FINITE, OffReason.NOT_FINITE),
        ({"lots": -3.0}, OffReason.NOT_FINITE, OffReason.NOT_FINITE),
        ({"lots": 1e18}, OffReason.NOT_FINITE, OffReason.NOT_FINITE),
        ({"levels": 0.0}, OffReason.NOT_WANTED, OffReason.NOT_WANTED),
        ({"levels": 9.0}, OffReason.NOT_FINITE, OffReason.NOT_FINITE),
        ({"levels": -1.0}, OffReason.NOT_FINITE, OffReason.NOT_FINITE),
        ({"levels": 3.0, "step": 0.0}, OffReason.CROSSED, OffReason.CROSSED),  # one price twice
        ({"levels": 3.0, "step": -1.0}, OffReason.CROSSED, OffReason.CROSSED),  # levels come nearer
        ({"lots": 10_001.0}, OffReason.POSITION_LIMIT, OffReason.POSITION_LIMIT),
        ({"lots": 2_600.0, "levels": 4.0}, OffReason.POSITION_LIMIT, OffReason.POSITION_LIMIT),  # all together
        ({"lots": 1_000_001.0}, OffReason.RISK, OffReason.RISK),  # larger than risk lets one order be
    ],
)
def test_a_side_that_breaks_a_rule_is_off_with_its_reason(
    tmp_path: Path, user: dict[str, float], bid: OffReason, ask: OffReason
) -> None:
    view = quoted(tmp_path, LADDER, **user)
    assert (view["bid_off_reason"], view["ask_off_reason"]) == (bid, ask)
    for side, reason in (("bid", bid), ("ask", ask)):
        assert bool(view[f"{side}s"]) == (reason == OffReason.QUOTED)


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [
        ("order_lots_max", 5, OffReason.RISK),
        ("position_lots_max", 9, OffReason.RISK),
        ("order_notional_max", 500.0, OffReason.RISK),
        ("gross_notional_room", 900.0, OffReason.RISK),
        ("mark_price", np.nan, OffReason.RISK),
        ("collar_low", 99_995.0, OffReason.RISK),
        ("state", TradingState.HALTED, OffReason.RISK),
        ("is_position_known", 0, OffReason.POSITION_UNKNOWN),
    ],
)
def test_risk_s_limits_bind_a_user_s_strategy(tmp_path: Path, limit: str, value: float, reason: OffReason) -> None:
    case = own(tmp_path, LADDER)
    case.limits[limit] = value
    view = case.quote()
    assert view["bid_off_reason"] == reason
    assert view["bids"] == []


def test_nothing_is_asked_of_a_strategy_while_nothing_may_be_quoted(tmp_path: Path) -> None:
    case = own(tmp_path, LADDER)
    assert case.quote()["bids"]
    for off, reason in (
        (lambda: case.quoter.pause(True), OffReason.PAUSED),
        (lambda: case.quoter.switch_instrument_off(OffReason.INSTRUMENT_REMOVED), OffReason.INSTRUMENT_REMOVED),
        (lambda: setattr(case, "is_connected", False), OffReason.BOOK_STALE),
        (lambda: case.book.__setitem__("is_valid", 0), OffReason.NO_BOOK),
        (lambda: case.quoter.stop(), OffReason.STOPPING),
    ):
        off()
        view = case.quote()
        assert (view["bids"], view["asks"]) == ([], [])
        assert view["bid_off_reason"] == view["ask_off_reason"] == reason
        case.quoter.pause(False)
        case.quoter.switch_instrument_off(OffReason.QUOTED)
        case.is_connected = True
        case.book["is_valid"] = 1


@pytest.mark.parametrize("price", ["float('nan')", "float('inf')", "-float('inf')", "-1e300", "0.0 * float('inf')"])
def test_prices_that_are_no_numbers_take_both_sides_away(tmp_path: Path, price: str) -> None:
    view = quoted(tmp_path, HEAD + f"def quote(q):\n    standard.place(q, {price}, 100_010.0)\n")
    assert view["bid_off_reason"] == view["ask_off_reason"] == OffReason.NOT_FINITE
    assert (view["bids"], view["asks"]) == ([], [])


def test_prices_that_cross_are_moved_apart_by_place_and_refused_in_a_ladder(tmp_path: Path) -> None:
    view = quoted(tmp_path, HEAD + "def quote(q):\n    standard.place(q, 100_500.0, 99_500.0)\n")
    assert view["bids"][0] == 100_000
    assert view["asks"][0] == 100_001
    # our own bid and ask in the same place, inside a wide book
    case = own(tmp_path, LADDER, bid_ticks=100_000.0, ask_ticks=100_000.0)
    case.set_book(99_900.0, 100_100.0)
    view = case.quote()
    assert view["bid_off_reason"] == view["ask_off_reason"] == OffReason.CROSSED


def test_an_exception_takes_both_sides_away_until_somebody_resumes(tmp_path: Path) -> None:
    # Given a strategy that fails while a parameter says so
    text = (
        HEAD
        + """
parameters = {"fails": 0.0}


def quote(q):
    if q["user"]["fails"] > 0.0:
        raise ValueError("no idea")
    standard.quote(q)
"""
    )
    case = own(tmp_path, text)
    assert case.quote()["bids"]
    assert case.quoter.fault == ""
    # If it fails
    reconfigure(case, fails=1.0)
    view = case.quote()
    # I expect a wish without quotes, and the line that failed
    assert view["is_written"]
    assert view["bid_off_reason"] == view["ask_off_reason"] == OffReason.STRATEGY_FAULT
    assert case.quoter.fault == f"{tmp_path}/my_strategy.py:11: quote: ValueError: no idea"
    # If its reason goes, I expect nothing before a resume
    reconfigure(case)
    assert case.quote()["bids"] == []
    case.trade(100_000.0, 1)
    case.quoter.take_fill(1, 1, 1)
    case.quoter.pause(False)
    assert case.quote()["bids"]
    assert case.quoter.fault == ""


@pytest.mark.parametrize("function", ["on_book", "on_trade", "on_fill"])
def test_an_exception_anywhere_counts(tmp_path: Path, function: str) -> None:
    arguments = {"on_book": "q", "on_trade": "q, trade", "on_fill": "q, side, size_lots, time_ns"}
    functions = "".join(
        f"def {name}({given}):\n    {'raise IndexError(7)' if name == function else f'standard.{name}({given})'}\n"
        for name, given in {**arguments, "quote": "q"}.items()
    )
    case = own(tmp_path, "from trading.quoting import standard\n" + functions)
    case.quote()
    case.trade(100_000.0, 1)
    case.quoter.take_fill(1, 1, 1)
    view = case.quote()
    assert view["bid_off_reason"] == OffReason.STRATEGY_FAULT
    assert re.fullmatch(rf".*my_strategy.py:\d: {function}: IndexError: 7", case.quoter.fault)


def test_a_file_that_does_not_get_through_its_import_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        own(tmp_path, HEAD + "from helper import more\n\n\ndef quote(q):\n    pass\n")
    assert str(refused.value) == f"{tmp_path}/my_strategy.py:5: ModuleNotFoundError: No module named 'helper'"


def test_another_file_is_taken_over_at_the_next_start_only(tmp_path: Path) -> None:
    case = own(tmp_path, LADDER)
    with pytest.raises(ConfigError, match="taken over at the next start"):
        case.quoter.configure(MARKET, case.units)
    with pytest.raises(ConfigError, match="taken over at the next start"):
        Case(BARE).quoter.configure(MARKET.with_values({"file": "my_strategy.py"}), case.units)


def test_values_without_a_file_to_take_them_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"\[strategy.user\] has step, but \[strategy\] file names no file"):
        load_code(MARKET.with_values({"user": {"step": 1.0}}))
