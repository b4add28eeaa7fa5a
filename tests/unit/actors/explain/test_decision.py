"""A quote of a user's own strategy computed again, with the file as it quoted and edited since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from actors.explain.decision import Decisions
from domain.records import EXPLANATION, QUOTE_INPUT_WORDS
from runtime.config import Config, InstrumentConfig
from runtime.paths import CONFIG_FILE
from runtime.recordings.columns import column_names
from tests.quoting_case import BARE, Case
from trading.quoting.inputs import QuoteInputs
from trading.quoting.user.code import load_code

NAME = "BTC-PERPETUAL"
STRATEGY = """
from trading.quoting.standard import on_book, on_fill, on_trade, place, prices
parameters = {"further_usd": 7.0}
def quote(q):
    prices(q)
    e = q["explanation"]
    place(q, e["bid_price"] - q["user"]["further_usd"], e["ask_price"] + 3.0)
"""


@pytest.fixture
def strategy(tmp_path: Path) -> Path:
    path = tmp_path / "my_strategy.py"
    path.write_text(STRATEGY)
    return path


@pytest.fixture
def decisions(tmp_path: Path, strategy: Path, monkeypatch: pytest.MonkeyPatch) -> Decisions:
    """A run in which this strategy has quoted once."""
    config = msgspec.structs.replace(BARE, file=str(strategy))
    run = Config(instruments={NAME: InstrumentConfig(strategy=config)}, session="own", path="own.toml")
    (tmp_path / CONFIG_FILE).write_bytes(msgspec.json.encode(run))
    case = Case(config, code=load_code(config))
    words = np.zeros(QUOTE_INPUT_WORDS, np.int64)
    inputs = QuoteInputs(case.quoter, words.view(np.uint8).data.cast("q"))
    decide = case.quoter.decide

    def recorded(now_ns: int, realtime_ns: int) -> bool:
        inputs.copy_before()
        is_written = decide(now_ns, realtime_ns)
        inputs.copy_after()
        return is_written

    monkeypatch.setattr(case.quoter, "decide", recorded)
    case.set_book(100_000.0, 100_001.0, 1.0, 1.0)
    case.quote(1_000_000)
    told = case.quoter.record["explanation"].view(np.uint8).reshape(-1).copy().view(EXPLANATION.dtype)[0]
    explanation = {column_names(field)[0]: told[field.name].item() for field in EXPLANATION.fields}
    rows: dict[str, list[dict[str, Any]]] = {
        "explanations": [{**explanation, "wish_id": 1}],
        "quote_inputs": [{"wish_id": 1, "words": words.tobytes(), "words_used": inputs.words_used}],
    }
    found = Decisions(tmp_path, NAME)
    monkeypatch.setattr(found, "_rows", lambda kind, column, values: rows.get(kind, []))
    return found


def test_the_file_that_quoted_gives_the_same_quote(decisions: Decisions) -> None:
    again = decisions.of_wishes([1])[1].again
    assert (again.verdict, again.fields) == ("equal", [])


def test_a_file_that_was_edited_since_is_said_to_be_and_is_no_difference(decisions: Decisions, strategy: Path) -> None:
    strategy.write_text(STRATEGY.replace("3.0", "4.0"))
    decision = decisions.of_wishes([1])[1]
    expected = f"cannot be computed again: {strategy} was edited since this quote (the recorded hash is another)"
    assert (decision.again.verdict, decision.again.fields, decision.levels) == (expected, [], {})


def test_a_file_with_other_parameters_than_then_is_named(decisions: Decisions, strategy: Path) -> None:
    others = "".join(f', "other{number}": 1.0' for number in range(20))
    strategy.write_text(STRATEGY.replace("7.0}", f"7.0{others}}}"))
    verdict = decisions.of_wishes([1])[1].again.verdict
    assert verdict.startswith("cannot be computed again: ")
    assert verdict.endswith(f"; or {strategy} was edited since")
