"""One record as a person wants it: fields by name, plain Python values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from domain.records import RecordType


class Record:
    """A private copy of one record.

    `tick.mark_price` and `tick["mark_price"]` give int, float or str, or an array for a field of several
    values; `as_dict()` gives all of them. `position` is where it stands in its ring.
    """

    __slots__ = ("_type", "_values")

    def __init__(self, record: RecordType, values: np.void) -> None:
        self._type = record
        self._values = values

    @property
    def record_type(self) -> RecordType:
        return self._type

    @property
    def position(self) -> int:
        """Position in the ring; of a table's row it means nothing."""
        return int(self._values["sequence"]) - 1

    def as_dict(self) -> dict[str, Any]:
        """Return every field but `sequence`; fields of several values as lists."""
        values = {}
        for name in self.keys():
            value = self[name]
            values[name] = value.tolist() if isinstance(value, np.ndarray) else value
        return values

    def keys(self) -> list[str]:
        """Return the names of the fields but `sequence`."""
        return [field.name for field in self._type.fields[1:]]

    def __getitem__(self, field: str) -> Any:
        try:
            value = self._values[field]
        except ValueError:
            raise KeyError(self._unknown(field)) from None
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        return value if isinstance(value, np.ndarray) else value.item()

    def __getattr__(self, field: str) -> Any:
        if field.startswith("_"):
            raise AttributeError(field)
        try:
            return self[field]
        except KeyError:
            raise AttributeError(self._unknown(field)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Record)
            and self._type is other._type
            and self._values.tobytes() == other._values.tobytes()
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.as_dict().items())
        return f"{self._type.name}({fields})"

    def _unknown(self, field: str) -> str:
        return f"{self._type.name} has no field `{field}`: {', '.join(self.keys())}"
