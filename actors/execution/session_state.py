"""What the ledger of a session starts from: written once, so that a restarted execution counts the same session."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from runtime.paths import write_atomically

FILE_NAME = "execution_state.json"


class StartPosition(msgspec.Struct, frozen=True):
    """What was held in an instrument when the session began, and at which price it is carried."""

    position: Decimal
    price: Decimal
    unrealised_funding: Decimal


class SessionState(msgspec.Struct, frozen=True):
    """The start of a session.

    Attributes:
        started_realtime_ns: wall clock of this machine, Unix ns.
        history_since_ns: venue's clock; the session's trades are not older.
        trades_before: keys of trades since then that the start positions contain already.
        positions: by instrument.
        seen_ns: venue's clock, when their funding was seen; 0 in what earlier versions wrote.
    """

    started_realtime_ns: int
    history_since_ns: int
    trades_before: list[tuple[str, str, int]]
    positions: dict[str, StartPosition]
    seen_ns: int = 0


def load_session_state(run_dir: Path) -> SessionState | None:
    """Return the state that an earlier process of this run wrote; None when there is none."""
    try:
        return msgspec.json.decode((run_dir / FILE_NAME).read_bytes(), type=SessionState)
    except FileNotFoundError:
        return None


def save_session_state(run_dir: Path, state: SessionState) -> None:
    """Write the state so that it is there whole or not at all. OSError when the disk refuses."""
    write_atomically(run_dir / FILE_NAME, msgspec.json.encode(state))
