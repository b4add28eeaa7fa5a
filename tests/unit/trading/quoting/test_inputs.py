"""A quote computed again from what was recorded is the recorded one, bit for bit, whatever quotes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import numpy as np
import pytest

from domain.clock import NS_PER_S
from domain.records import EXPLANATION, QUOTE_INPUT_WORDS
from tests.quoting_case import BARE, Case
from trading.quoting.inputs import QuoteInputs, differing_fields, recompute
from trading.quoting.shaping.config import ShapingConfig
from trading.quoting.user.code import STANDARD, StrategyCode, load_code

SWITCHES = dict.fromkeys((name for name, hint in get_type_hints(ShapingConfig).items() if hint is bool), True)
del SWITCHES["regime_filter"]  # it would take both sides away
USERS_OWN = """
state = {"seen": 0.0, "last": 0.0}
def quote(q):
    prices(q)
    q["user"]["seen"] += 1.0
    e = q["explanation"]
    place(q, e["bid_price"] - q["user"]["seen"] % 7.0, e["ask_price"] + q["user"]["last"])
    q["user"]["last"] = q["user"]["seen"] % 3.0
"""


class Recorder:
    """Keeps what each wish of a quoter was computed from, as the strategy actor does."""

    def __init__(self, case: Case) -> None:
        self._quoter = case.quoter
        self.scratch = np.zeros(QUOTE_INPUT_WORDS, np.int64)
        self._inputs = QuoteInputs(case.quoter, self.scratch.view(np.uint8).data.cast("q"))
        self.kept: list[tuple[bytes, int, Any]] = []
        self._decide = case.quoter.decide
        case.quoter.decide = self.decide  # type: ignore[method-assign]

    def decide(self, now_ns: int, realtime_ns: int) -> bool:
        self._inputs.copy_before()
        is_written = self._decide(now_ns, realtime_ns)
        if is_written:
            self._inputs.copy_after()
            explanation = self._quoter.record["explanation"].view(np.uint8).reshape(-1).copy()
            self.kept.append((self.scratch.tobytes(), self._inputs.words_used, explanation.view(EXPLANATION.dtype)))
        return is_written


def traded(case: Case, steps: int = 150) -> None:
    """Let a market happen, with fills, trades, orders of ours, pauses and positions."""
    rng = random.Random(5)
    mid = 100_000.0
    for _ in range(steps):
        mid += rng.choice((-2.0, -1.0, 0.0, 1.0, 2.0))
        case.set_book(mid, mid + rng.randint(1, 3), rng.uniform(0.1, 3.0), rng.uniform(0.1, 3.0))
        case.refer(mark=mid + 1.0, index=mid - 1.0, funding=rng.uniform(-1e-4, 1e-4))
        case.work("bid", (int(mid), rng.randint(1, 10)))
        if rng.random() < 0.3:
            case.trade(mid + rng.choice((-3.0, 3.0)), rng.choice((1, -1)), 1000, 0.5)
        if rng.random() < 0.2:
            case.fill(rng.choice((1, -1)))
            case.hold(rng.randint(-40, 40))
        if rng.random() < 0.05:
            case.quoter.pause(rng.random() < 0.5)
        case.quote(rng.randint(1, NS_PER_S // 3))


@pytest.mark.parametrize("model", ["glft", "avellaneda_stoikov", "avellaneda_stoikov_exact", "cartea_jaimungal"])
@pytest.mark.parametrize("switches", [{}, SWITCHES], ids=["bare", "every_step"])
def test_every_quote_computed_again_is_the_recorded_one_bit_for_bit(model: str, switches: dict[str, bool]) -> None:
    shaping = msgspec.structs.replace(BARE.shaping, **switches)
    config = msgspec.structs.replace(
        BARE,
        model=model,
        shaping=shaping,
        levels=3,
        level_spacing_ticks=2,
        position_soft_base=0.1,
        position_hard_base=0.3,
    )
    assert_recomputed(Case(config), STANDARD)


def test_a_quote_of_a_users_strategy_is_computed_again_with_what_it_remembered(tmp_path: Path) -> None:
    path = tmp_path / "my_strategy.py"
    path.write_text("from trading.quoting.standard import on_book, on_fill, on_trade, place, prices\n" + USERS_OWN)
    config = msgspec.structs.replace(BARE, file=str(path))
    code = load_code(config)
    assert_recomputed(Case(config, code=code), code)


def assert_recomputed(case: Case, code: StrategyCode) -> None:
    recorder = Recorder(case)
    traded(case)
    assert len(recorder.kept) > 50
    for words, words_used, explanation in recorder.kept:
        again = recompute(words, words_used, code)
        assert differing_fields(explanation, again.explanation) == []
        assert again.is_same_code


def test_code_that_was_edited_since_is_told_from_that_which_quoted(tmp_path: Path) -> None:
    path = tmp_path / "my_strategy.py"
    path.write_text("from trading.quoting.standard import on_book, on_fill, on_trade, place, prices\n" + USERS_OWN)
    config = msgspec.structs.replace(BARE, file=str(path))
    case = Case(config, code=load_code(config))
    recorder = Recorder(case)
    traded(case, 20)
    path.write_text(path.read_text().replace("% 7.0", "% 5.0"))
    edited = load_code(config)
    again = [recompute(words, used, edited) for words, used, _ in recorder.kept]
    assert not any(one.is_same_code for one in again)
    assert any(differing_fields(kept[2], one.explanation) for kept, one in zip(recorder.kept, again, strict=True))


def test_another_input_gives_another_quote_and_the_fields_that_differ_are_told() -> None:
    case = Case()
    recorder = Recorder(case)
    traded(case, 5)
    words, words_used, explanation = recorder.kept[-1]
    inputs = np.frombuffer(words, np.int64).copy()
    record = inputs[:words_used].view(STANDARD.quoter)
    record["params"]["risk_aversion"] *= 2.0
    again = recompute(inputs.tobytes(), words_used, STANDARD)
    assert "risk_aversion" in differing_fields(explanation, again.explanation)
    assert "half_spread_model" in differing_fields(explanation, again.explanation)


def test_words_of_another_program_are_refused() -> None:
    with pytest.raises(ValueError, match="12 words were recorded, this program's quoter has"):
        recompute(b"", 12, STANDARD)


def test_the_record_has_room_for_a_quoter_and_a_users_own_values() -> None:
    assert QUOTE_INPUT_WORDS - STANDARD.quoter.itemsize // 8 >= 64
