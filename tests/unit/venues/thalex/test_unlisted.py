"""What is said of an instrument that the venue does not list."""

from __future__ import annotations

import pytest

from venues.thalex.listing import unlisted_text

LISTED = ("BTC-PERPETUAL", "ETH-PERPETUAL", "BTC-27NOV26")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("BTC-PERPETUEL", "did you mean BTC-PERPETUAL?"),
        ("btc-perpetual", "did you mean BTC-PERPETUAL?"),
        ("SOL-PERPETUAL", "it lists 3 instruments"),
    ],
)
def test_names_that_are_near_are_of_the_same_underlying(name: str, hint: str) -> None:
    said = unlisted_text(name, LISTED)
    assert said == f'[instruments."{name}"]: the venue does not list this instrument; {hint}'
