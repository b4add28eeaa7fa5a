"""Programs in the manner of the official client's examples, side by side on one exchange.

Each must do what it is for and see no error that the real venue would not give: an order that was filled while
its amend was on the way, and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.venue_programs import (
    ORDER_NOT_FOUND,
    OptionQuoter,
    PerpQuoter,
    Program,
    RfqQuoter,
    RfqTrader,
    RollQuoter,
    SimpleQuoter,
)

ROOT = Path(__file__).resolve().parents[2]
START_S_MAX = 20.0
QUICK_S, LONG_S = 9.0, 600.0
PROGRAMS = (SimpleQuoter, PerpQuoter, OptionQuoter, RollQuoter, RfqQuoter, RfqTrader)


@pytest.fixture
def venue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A running exchange: its URL and a key for each program."""
    monkeypatch.setenv("NO_PROXY", "*")
    ready, key = tmp_path / "ready.json", tmp_path / "key.json"
    # Rich accounts: one program trades at whatever it is quoted, and running out of margin would be its own doing.
    account = ["--accounts", str(len(PROGRAMS)), "--balance", "2000000"]
    command = [sys.executable, "-m", "exchange", "--seed", "5", *account, "--die-with-parent"]
    process = subprocess.Popen([*command, "--ready-file", str(ready), "--key-file", str(key)], cwd=ROOT)
    try:
        deadline_s = time.monotonic() + START_S_MAX
        while not ready.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        told = json.loads(ready.read_text())
        yield told["url"], [json.loads(Path(account["key_file"]).read_text()) for account in told["accounts"]]
    finally:
        process.terminate()
        process.wait(10)


def run(venue: tuple[str, list[dict[str, str]]], seconds: float) -> list[Program]:
    url, keys = venue
    programs = [make(url, key) for make, key in zip(PROGRAMS, keys, strict=True)]

    async def all_of_them() -> None:
        await asyncio.gather(*(program.run(seconds) for program in programs))

    asyncio.run(all_of_them())
    for program in programs:
        name, codes = type(program).__name__, [error["error"]["code"] for error in program.errors]
        assert set(codes) <= {ORDER_NOT_FOUND}, f"{name}: {program.errors[:5]}"
        assert len(codes) <= 5 + program.fills, f"{name}: {len(codes)} times not found, {program.fills} fills"
        assert program.succeeded(), name
    return programs


def test_programs_for_the_real_venue_do_what_they_are_for(venue: tuple[str, list[dict[str, str]]]) -> None:
    run(venue, QUICK_S)


@pytest.mark.slow
@pytest.mark.timeout(LONG_S + 180)
def test_programs_for_the_real_venue_run_for_ten_minutes_and_trade(venue: tuple[str, list[dict[str, str]]]) -> None:
    for program in run(venue, LONG_S):
        assert program.fills > 0, type(program).__name__
