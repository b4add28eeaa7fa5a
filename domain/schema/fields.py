"""What a record is made of: named fields of 8-byte words, with computed offsets.

Word 0 is `sequence` and belongs to the ring or table that holds the record; the rest is the payload. Integers are
int64, floats float64 (IEEE 754), text is UTF-8 padded with zero bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

WORD_BYTES = 8
LINE_BYTES = 64
TEXT_BYTES = 40
LAYOUT_VERSION = 1

Kind = Literal["i8", "f8", "text"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `count` values of `kind`; `doc` gives meaning and unit."""

    name: str
    kind: Kind
    doc: str
    count: int = 1

    @property
    def words(self) -> int:
        return (TEXT_BYTES // WORD_BYTES) * self.count if self.kind == "text" else self.count


class RecordType:
    """A named list of fields with computed offsets; `dtype` has the same layout for NumPy.

    Attributes:
        name: lower-case name, unique.
        type_id: number that is never reused (0-99 market data, 100-199 quotes and orders, 200-299 account
            and risk, 300-399 control).
        dtype: structured dtype, `itemsize` a multiple of 64 bytes, explicit offsets.
    """

    def __init__(self, name: str, type_id: int, doc: str, fields: list[Field]) -> None:
        self.name = name
        self.type_id = type_id
        self.doc = doc
        self.fields = [Field("sequence", "i8", "owned by the ring or table; see the layout page"), *fields]
        self._first_word: dict[str, int] = {}
        words = 0
        for field in self.fields:
            assert field.name not in self._first_word, f"{name}.{field.name} is declared twice"
            self._first_word[field.name] = words
            words += field.words
        self.size_bytes = -(-words * WORD_BYTES // LINE_BYTES) * LINE_BYTES
        self.dtype = np.dtype(
            {
                "names": [field.name for field in self.fields],
                "formats": [_numpy_format(field) for field in self.fields],
                "offsets": [self._first_word[field.name] * WORD_BYTES for field in self.fields],
                "itemsize": self.size_bytes,
            }
        )

    def word(self, field_name: str) -> int:
        """Return the index of the field's first 8-byte word, for memoryview access."""
        return self._first_word[field_name]

    def offset(self, field_name: str) -> int:
        """Return the field's byte offset."""
        return self._first_word[field_name] * WORD_BYTES

    def schema_text(self) -> str:
        """Return one line that changes whenever the layout changes."""
        fields = ",".join(f"{f.name}:{f.kind}:{f.count}@{self.offset(f.name)}" for f in self.fields)
        return f"{self.name}#{self.type_id}[{self.size_bytes}]({fields})"

    def layout_hash(self) -> int:
        """Return a 63-bit hash of layout version and fields; stored in every segment header."""
        digest = hashlib.sha256(f"{LAYOUT_VERSION}|{self.schema_text()}".encode()).digest()
        return int.from_bytes(digest[:8], "little") >> 1

    def __repr__(self) -> str:
        return f"RecordType({self.name}, {self.size_bytes} bytes)"


def _numpy_format(field: Field) -> object:
    if field.kind == "text":
        return f"S{TEXT_BYTES}" if field.count == 1 else (f"S{TEXT_BYTES}", (field.count,))
    code = "<i8" if field.kind == "i8" else "<f8"
    return code if field.count == 1 else (code, (field.count,))


def ints(*pairs: tuple[str, str]) -> list[Field]:
    """Return an integer field for each (name, doc)."""
    return [Field(name, "i8", doc) for name, doc in pairs]


def floats(*pairs: tuple[str, str]) -> list[Field]:
    """Return a float field for each (name, doc)."""
    return [Field(name, "f8", doc) for name, doc in pairs]
