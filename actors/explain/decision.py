"""The decision behind one message: what it saw, each step to its prices, and the same computed again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from domain.codes import ClampFlag, OffReason, RiskReason
from domain.errors import UserError
from domain.order import TradingState
from domain.records import EXPLANATION
from runtime.config import Config
from runtime.paths import CONFIG_FILE
from runtime.recordings.columns import column_names
from runtime.recordings.files import NotRecordedError, rows_where
from trading.quoting.inputs import Recomputed, differing_fields, recompute
from trading.quoting.user.code import StrategyCode, load_code

_LIMITS = (
    "position_lots", "order_lots_max", "position_lots_max", "open_orders_max", "order_notional_max",
    "gross_notional_room", "mark_price", "collar_low", "collar_high",
)  # fmt: skip


class Again(NamedTuple):
    """What came of computing the quote again.

    Attributes:
        verdict: `equal`, `different`, or why it could not be done.
        fields: in which the two differ.
        compared: fields that were compared, bit for bit.
    """

    verdict: str
    fields: list[str]
    compared: int


class Decision(NamedTuple):
    """One wish, as it was recorded.

    Attributes:
        terms: the columns of its explanation; None when it was not recorded.
        book: the columns of the book that it was computed from; None likewise.
        limits: risk's limits as strategy knew them.
        levels: prices in ticks and lots of both sides, best first; of the quote as computed again.
    """

    wish_id: int
    terms: dict[str, Any] | None
    book: dict[str, Any] | None
    limits: dict[str, Any]
    levels: dict[str, list[tuple[int, int]]]
    clamps: list[str]
    off: dict[str, str]
    again: Again


class Decisions:
    """Reads and recomputes the wishes of one instrument of a run."""

    def __init__(self, run: Path, instrument: str) -> None:
        """Read the run's configuration.

        Raises:
            UserError: when it is missing, or of another version of this program.
        """
        self._run = run
        self._instrument = instrument
        try:
            self._config = msgspec.json.decode((run / CONFIG_FILE).read_bytes(), type=Config)
        except (OSError, msgspec.MsgspecError) as error:
            raise UserError(f"{run / CONFIG_FILE}: {error}") from None
        self._code: StrategyCode | None = None

    def of_wishes(self, wish_ids: list[int]) -> dict[int, Decision]:
        """Return the decision behind each wish, as far as it was recorded."""
        terms = {row["wish_id"]: row for row in self._rows("explanations", "wish_id", wish_ids)}
        inputs = {row["wish_id"]: row for row in self._rows("quote_inputs", "wish_id", wish_ids)}
        positions = [row["book_position"] for row in terms.values()]
        books = {row["position"]: row for row in self._rows("books", "position", positions)}
        return {
            wish_id: self._decision(wish_id, terms.get(wish_id), inputs.get(wish_id), books) for wish_id in wish_ids
        }

    def _rows(self, kind: str, column: str, values: list[int]) -> list[dict[str, Any]]:
        try:
            return rows_where(self._run, kind, self._instrument, column, values) if values else []
        except NotRecordedError:
            return []

    def _decision(
        self, wish_id: int, terms: dict[str, Any] | None, inputs: dict[str, Any] | None, books: dict[int, Any]
    ) -> Decision:
        if terms is None:
            again = Again("not recorded: the wish has no explanation in the recording", [], 0)
            return Decision(wish_id, None, None, {}, {}, [], {}, again)
        book = books.get(terms["book_position"])
        clamps = [flag.name.lower() for flag in ClampFlag if terms["clamp_flags"] & flag and flag.name]
        off = {side: OffReason(terms[f"{side}_off_reason"]).name.lower() for side in ("bid", "ask")}
        if inputs is None:
            again = Again("not recorded: no inputs of this wish in the recording", [], 0)
            return Decision(wish_id, terms, book, {}, {}, clamps, off, again)
        try:
            found = recompute(inputs["words"], inputs["words_used"], self._loaded_code())
        except (ValueError, UserError) as error:
            again = Again(f"cannot be computed again: {error}{self._or_edited(error)}", [], 0)
            return Decision(wish_id, terms, book, {}, {}, clamps, off, again)
        again = self._compared(terms, found)
        if again.fields and not found.is_same_code and not self._loaded_code().is_standard:
            text = f"cannot be computed again: {self._files()} edited since this quote (the recorded hash is another)"
            return Decision(wish_id, terms, book, _limits(found.inputs), {}, clamps, off, Again(text, [], 0))
        return Decision(wish_id, terms, book, _limits(found.inputs), _levels(found), clamps, off, again)

    def _loaded_code(self) -> StrategyCode:
        if self._code is None:
            self._code = load_code(self._config.instruments[self._instrument].strategy)
        return self._code

    def _or_edited(self, error: Exception) -> str:
        """Return what else may be behind words that do not fit: a user's file with other parameters than then."""
        is_users = self._code is not None and not self._code.is_standard
        return f"; or {self._files()} edited since" if is_users and isinstance(error, ValueError) else ""

    def _files(self) -> str:
        return f"{' or '.join(str(source.path) for _, source in self._loaded_code().copies)} was"

    def _compared(self, terms: dict[str, Any], found: Recomputed) -> Again:
        recorded: npt.NDArray[np.void] = np.zeros(1, EXPLANATION.dtype)
        for field in EXPLANATION.fields:
            if field.name == "instrument":
                recorded[field.name] = list(self._config.instruments).index(self._instrument)
            elif field.name != "sequence":
                recorded[field.name] = terms[column_names(field)[0]]
        fields = differing_fields(recorded, found.explanation)
        return Again("different" if fields else "equal", fields, len(EXPLANATION.fields) - 1)


def _limits(inputs: npt.NDArray[np.void]) -> dict[str, Any]:
    limits = inputs["limits"][0]
    return {
        "state": TradingState(limits["state"]).name.lower(),
        "reason": RiskReason(limits["reason"]).name.lower(),
        **{name: limits[name].item() for name in _LIMITS},
    }


def _levels(found: Recomputed) -> dict[str, list[tuple[int, int]]]:
    ladder = found.ladder[0]
    return {
        side: [
            (int(ladder[f"{side}_price_ticks"][i]), int(ladder[f"{side}_size_lots"][i]))
            for i in range(ladder[f"{side}_count"])
        ]
        for side in ("bid", "ask")
    }
