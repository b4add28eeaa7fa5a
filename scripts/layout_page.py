"""Write docs/shm-layout.md from the schema in domain/records.py and the topology.

.venv/bin/python -m scripts.layout_page > docs/shm-layout.md
"""

from __future__ import annotations

import sys

from domain.records import LAYOUT_VERSION, RECORD_TYPES, TRADE, RecordType
from runtime.topology import SegmentSpec, Topology
from shm import layout

# Run by a test, so that it stays true.
NUMPY_ALONE = f"""\
import mmap
import os
import sys

import numpy as np

session = sys.argv[1] if len(sys.argv) > 1 else "local"
with open(f"/dev/shm/ringmaker.{{os.getuid()}}.{{session}}.trades", "rb") as file:
    memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
words = np.frombuffer(memory, dtype=np.int64)
assert words[{layout.WORD_MAGIC}] == {layout.MAGIC:#x} and words[{layout.WORD_LAYOUT_VERSION}] == {LAYOUT_VERSION}
assert words[{layout.WORD_LAYOUT_HASH}] == {TRADE.layout_hash():#x}, "another layout of `trade`"
slot_words, capacity = words[{layout.WORD_SLOT_BYTES}] // 8, words[{layout.WORD_CAPACITY}]
slots = words[{layout.HEADER_BYTES // 8}:].reshape(capacity, slot_words)

head = words[{layout.WORD_HEAD}]
positions = np.arange(max(0, head - capacity), head)
copy = slots[positions & (capacity - 1)]  # fancy indexing copies
intact = slots[positions & (capacity - 1), 0] == positions + 1
trades = copy[intact]
price = trades[:, {TRADE.word("price")}].view(np.float64)
size = trades[:, {TRADE.word("size")}].view(np.float64)
print(f"{{len(trades)}} trades, volume {{size.sum():.4f}}, last price {{price[-1:]}}")
"""

HEAD = f"""# Shared-memory layout

Layout version {LAYOUT_VERSION}. Generated: `.venv/bin/python -m scripts.layout_page > docs/shm-layout.md`.
What is written here is enough to read a session with NumPy or C alone; in Python `shm.attach(session)` does it.
Why it holds: [shm/ring.py](../shm/ring.py) and the [decisions](decisions/) 1, 2 and 3.

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

**Ring.** Positions count from 0 and only grow; position p lies in slot `p & (capacity - 1)`. Its `sequence` is
p + 1, and 0 while it is written. The writer stores sequence 0, payload, sequence, head, and never waits. Read the
head, copy slots below it, and then keep those whose sequence still is p + 1: the rest was overwritten meanwhile.

**Table.** One row for each instrument (or one in all). `sequence` is odd while the row is written and grows by 2.
Read it, copy the row, read it again: keep the copy when both were the same even number; 0 means never written.
Bound the retries: a row whose writer died inside it stays odd until the next writer.

**Session.** The table `directory` names every segment; it is made first and filled last. Its file is locked
(`fcntl` F_OFD_SETLK, exclusive) for as long as the session's owner lives: ask with F_OFD_GETLK, take nothing. A
session that ends in order sets `closed` in every header before it unlinks; mapped memory stays yours.

**Rules for readers.** Open O_RDONLY and map PROT_READ. Up to Python 3.12 do not attach with
`multiprocessing.shared_memory`: when such a process exits, its resource tracker unlinks the segment under everybody.

## Ways to read

| with | how |
|---|---|
| Python and this package | [scripts/attach_example.py](../scripts/attach_example.py), [a notebook](attach.ipynb) |
| Polars | [scripts/attach_polars.py](../scripts/attach_polars.py) |
| C | [scripts/ringmaker.h](../scripts/ringmaker.h), [scripts/attach_example.c](../scripts/attach_example.c) |
| ctypes | `shm.structures.STRUCTURES["book"].from_buffer_copy(slot)` |
| NumPy alone, nothing of this package | below |

```python
{NUMPY_ALONE}```

x86-64 only: the protocol relies on stores becoming visible in order (decisions/0002).
"""


def page() -> str:
    """Return the whole page."""
    parts = [HEAD, "## Segments\n", "| segment | kind | record | writer | slots or rows |", "|---|---|---|---|---|"]
    for spec in Topology(["BTC-PERPETUAL"]).segments():
        each = _each(spec)
        rows = f"{spec.capacity} for each {each}" if each else str(spec.capacity)
        parts.append(f"| `{spec.name}` | {spec.kind.name.lower()} | {spec.record.name} | {spec.writer} | {rows} |")
    parts.append("| `directory` | table | directory | supervisor | one for each segment above |")
    parts.append("\n## Records\n")
    parts += [_record(record) for record in RECORD_TYPES]
    return "\n".join(parts)


def _each(spec: SegmentSpec) -> str:
    """Return of what the rows are, where the number of rows depends on the configuration."""
    if spec.is_per_instrument:
        return "instrument"
    if spec.is_per_pair:
        return "pair of instruments"
    return "section [hedge.UNDERLYING]" if spec.is_per_hedge else ""


def _record(record: RecordType) -> str:
    rows = [f"### {record.name}", "", f"{record.doc} {record.size_bytes} bytes, type {record.type_id}.", ""]
    rows += ["| byte | field | type | meaning |", "|---|---|---|---|"]
    for field in record.fields:
        kind = field.kind if field.count == 1 else f"{field.kind} × {field.count}"
        rows.append(f"| {record.offset(field.name)} | `{field.name}` | {kind} | {field.doc} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
