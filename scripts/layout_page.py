"""Write docs/shm-layout.md from the schema in domain/records.py and the topology.

python -m scripts.layout_page > docs/shm-layout.md
"""

from __future__ import annotations

import sys

from domain.records import LAYOUT_VERSION, RECORD_TYPES, RecordType
from runtime.topology import segments
from shm import layout

HEAD = f"""# Shared-memory layout

Layout version {LAYOUT_VERSION}. Generated: `python -m scripts.layout_page > docs/shm-layout.md`.
What is written here is enough to read a session with NumPy or C alone; in Python `shm.attach(session)` does it.

Every segment is a file `/dev/shm/ringmaker.<uid>.<session>.<segment>`, mode 0600: a header of
{layout.HEADER_BYTES} bytes, then slots.

All words are 8 bytes, little-endian: `i8` int64, `f8` float64, `text` 40 bytes of UTF-8 padded with zeros.

| byte | header word |
|---|---|
| {layout.WORD_MAGIC * 8} | magic `{layout.MAGIC:#018x}` |
| {layout.WORD_LAYOUT_VERSION * 8} | layout version |
| {layout.WORD_LAYOUT_HASH * 8} | layout hash of the record type |
| {layout.WORD_KIND * 8} | kind: 1 ring, 2 table |
| {layout.WORD_SLOT_BYTES * 8} | bytes of a slot |
| {layout.WORD_CAPACITY * 8} | capacity: slots of a ring, rows of a table |
| {layout.WORD_HEAD * 8} | head of a ring: position after the newest published record |
| {layout.WORD_EPOCH * 8} | writer epoch: grows with every process that takes over as writer |
| {layout.WORD_CREATED * 8} | created, Unix ns |
| {layout.WORD_CLOSED * 8} | 1 once the session has ended |
| {layout.RECORD_NAME_OFFSET} | record name, {layout.NAME_BYTES} bytes |
| {layout.WRITER_NAME_OFFSET} | writer, {layout.NAME_BYTES} bytes |

**Ring.** Positions count from 0 and only grow; position p lies in slot `p & (capacity - 1)`. Its
`sequence` is p + 1, and 0 while it is written.
Read the head, copy the slots, and keep those whose sequence was p + 1 before and after the copy.

**Table.** One row for each instrument (or one in all). `sequence` is odd while the row is written and grows
by 2. Read it, copy the row, read it again: keep the copy when both were the same even number; 0 means never written.

x86-64 only: the protocol relies on stores becoming visible in order (decisions/0002).
"""


def page() -> str:
    """Return the whole page."""
    parts = [HEAD, "## Segments\n", "| segment | kind | record | writer | slots or rows |", "|---|---|---|---|---|"]
    for spec in segments(1):
        rows = f"{spec.capacity} for each instrument" if spec.is_per_instrument else str(spec.capacity)
        parts.append(f"| `{spec.name}` | {spec.kind.name.lower()} | {spec.record.name} | {spec.writer} | {rows} |")
    parts.append("| `directory` | table | directory | supervisor | one for each segment above |")
    parts.append("\n## Records\n")
    parts += [_record(record) for record in RECORD_TYPES]
    return "\n".join(parts)


def _record(record: RecordType) -> str:
    rows = [f"### {record.name}", "", f"{record.doc} {record.size_bytes} bytes, type {record.type_id}.", ""]
    rows += ["| byte | field | type | meaning |", "|---|---|---|---|"]
    for field in record.fields:
        kind = field.kind if field.count == 1 else f"{field.kind} × {field.count}"
        rows.append(f"| {record.offset(field.name)} | `{field.name}` | {kind} | {field.doc} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
