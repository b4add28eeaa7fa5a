"""What `./cli.py record` says of itself."""

from __future__ import annotations

from pathlib import Path

from runtime.supervision.recording_session import counted, opening_words

FOLDER = Path("runs/20261121-110520-local-record/recordings")


def test_a_recording_that_starts_an_exchange_says_that_it_is_its_own() -> None:
    assert opening_words(["BTC-PERPETUAL"], FOLDER, has_own_exchange=True) == (
        f"recording BTC-PERPETUAL from a local exchange of its own to {FOLDER}; Ctrl-C ends it"
    )


def test_a_recording_of_a_venue_speaks_of_no_exchange() -> None:
    assert opening_words(["BTC-PERPETUAL", "ETH-PERPETUAL"], FOLDER, has_own_exchange=False) == (
        f"recording BTC-PERPETUAL, ETH-PERPETUAL to {FOLDER}; Ctrl-C ends it"
    )


def test_one_row_is_no_rows() -> None:
    assert [counted(number, "row") for number in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
