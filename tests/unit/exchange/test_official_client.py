"""The official client's methods, all of them: each is answered, and docs/exchange.md says how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from exchange.core.inbox_notification import DisplayType
from exchange.core.listing import Listing, Products
from exchange.core.scheduler import NS_PER_S
from tests.unit.exchange import client_methods
from tests.unit.exchange.client_methods import Caller
from tests.unit.exchange.protocol_checker import RESULTS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "exchange.md"
WORDS = {
    None: "works",
    28: "error 28: the key may not withdraw",
    31: "error 31, as the venue: the client asks with `public/`, the venue has `private/`",
}


@pytest.fixture
def answers(desk: Any, monkeypatch: pytest.MonkeyPatch, private_key: Any) -> dict[str, dict[str, Any]]:
    """Call every method once and return the answers by name."""
    desk.engine.listing = Listing(desk.engine, Products(), {"BTCUSD": 100_000.0})
    desk.engine.markets.pop("BTC-25DEC26")
    desk.engine.listing.refresh()
    desk.scheduler.advance(61 * NS_PER_S)
    desk.engine.inbox.post(desk.a, "risk", "Title", "Message", DisplayType.INFO)
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    monkeypatch.setattr("time.time", lambda: desk.scheduler.realtime_ns() / NS_PER_S + 5)  # the client's clock
    trader, maker = Caller(desk.client()), Caller(desk.client())
    maker.call("login", key_id="K2", private_key=pem)
    found = {}
    for name, make in client_methods.arguments(trader, maker, ("K1", pem)).items():
        desk.scheduler.advance(NS_PER_S)  # ten requests a second are allowed
        found[name] = trader.call(name, **make())
    return found


def test_every_method_works_but_for_what_the_page_says(answers: dict[str, dict[str, Any]]) -> None:
    by_code: dict[int | None, list[str]] = {}
    for name, answer in answers.items():
        by_code.setdefault(answer.get("error", {}).get("code"), []).append(f"`{name}`")
    assert by_code.keys() <= WORDS.keys(), {name: answers[name] for name in answers if "error" in answers[name]}
    rows = [f"| {WORDS[code]} | {' '.join(names)} |" for code, names in by_code.items()]
    missing = [row for row in rows if row not in PAGE.read_text().splitlines()]
    assert not missing, "docs/exchange.md, the table of the client's methods, lacks:\n" + "\n".join(missing)


def test_results_are_of_the_documented_shape(answers: dict[str, dict[str, Any]]) -> None:
    shapes = {name: RESULTS[f"private/{name}"] for name in answers if f"private/{name}" in RESULTS}
    shapes |= {name: RESULTS[f"public/{name}"] for name in answers if f"public/{name}" in RESULTS}
    assert len(shapes) > 50
    for name, fits in shapes.items():
        if "result" in answers[name]:
            assert fits(answers[name]["result"]), f"{name}: {answers[name]}"
