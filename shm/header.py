"""The C header of everything that is shared: `python -m shm.header > ringmaker.h`.

Records and header words come from the schema; the few functions that a reader needs are written out below. The
header is C11 with nothing beside it, and checks its own offsets when it is compiled.
"""

from __future__ import annotations

import ctypes
import sys

from domain.records import (
    BOOK_LEVELS,
    COUNTERS_MAX,
    HISTOGRAM_BUCKETS,
    LAYOUT_VERSION,
    QUOTE_LEVELS_MAX,
    RECORD_TYPES,
    TEXT_BYTES,
    Field,
    RecordType,
)
from shm import layout
from shm.structures import SegmentHeader

_C_TYPES = {"i8": "int64_t", "f8": "double", "text": "char"}

_HEAD = f"""/* Ringmaker's shared memory, layout version {LAYOUT_VERSION}. Generated: python -m shm.header > ringmaker.h
 *
 * Every segment is a file /dev/shm/ringmaker.<uid>.<session>.<segment>: a struct rm_header, then slots. Map it
 * read-only, rm_check() it, then rm_ring_read() or rm_table_read(). docs/shm-layout.md tells the rest.
 * C11, Linux, 64 bits, little-endian.
 */
#ifndef RINGMAKER_H
#define RINGMAKER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RM_MAGIC INT64_C({layout.MAGIC:#018x})
#define RM_LAYOUT_VERSION {LAYOUT_VERSION}
#define RM_HEADER_BYTES {layout.HEADER_BYTES}
#define RM_KIND_RING 1
#define RM_KIND_TABLE 2
#define RM_TEXT_BYTES {TEXT_BYTES}
#define RM_BOOK_LEVELS {BOOK_LEVELS}
#define RM_QUOTE_LEVELS_MAX {QUOTE_LEVELS_MAX}
#define RM_HISTOGRAM_BUCKETS {HISTOGRAM_BUCKETS}
#define RM_COUNTERS_MAX {COUNTERS_MAX}
"""

_FUNCTIONS = """
/* Return 1 when the mapped segment of `mapped_bytes` bytes is one of ours, of this layout and of this record. */
static inline int rm_check(const struct rm_header *header, size_t mapped_bytes, int64_t kind, int64_t layout_hash) {
    return mapped_bytes >= RM_HEADER_BYTES && header->magic == RM_MAGIC && header->kind == kind &&
           header->layout_version == RM_LAYOUT_VERSION && header->layout_hash == layout_hash &&
           mapped_bytes >= RM_HEADER_BYTES + (size_t)header->capacity * (size_t)header->slot_bytes;
}

static inline int64_t rm_load(const int64_t *word) {
    return atomic_load_explicit((const _Atomic int64_t *)word, memory_order_acquire);
}

static inline const char *rm_slot(const struct rm_header *header, int64_t index) {
    return (const char *)header + RM_HEADER_BYTES + index * header->slot_bytes;
}

/* Copy the record of `*position` to `record` and move on. Return 1; 0 when it is not published yet. When it was
 * overwritten, `*position` moves to the oldest record kept and `*lost` grows by what was skipped. */
static inline int rm_ring_read(const struct rm_header *header, int64_t *position, int64_t *lost, void *record) {
    for (;;) {
        const int64_t head = rm_load(&header->head);
        const char *slot;
        if (*position >= head) return 0;
        if (head - *position > header->capacity) {
            *lost += head - header->capacity - *position;
            *position = head - header->capacity;
        }
        slot = rm_slot(header, *position & (header->capacity - 1));
        memcpy(record, slot, (size_t)header->slot_bytes);
        atomic_thread_fence(memory_order_acquire);
        if (rm_load((const int64_t *)slot) == *position + 1) {
            *position += 1;
            return 1;
        }
        *position += 1; /* overtaken during the copy */
        *lost += 1;
    }
}

/* Copy a row to `record`. Return its sequence, 0 when it was never written, -1 when it stayed half-written over
 * `tries` tries: its writer is stopped or dead. */
static inline int64_t rm_table_read(const struct rm_header *header, int64_t row, int tries, void *record) {
    const char *slot = rm_slot(header, row);
    while (tries-- > 0) {
        const int64_t before = rm_load((const int64_t *)slot);
        if (before & 1) continue;
        memcpy(record, slot, (size_t)header->slot_bytes);
        atomic_thread_fence(memory_order_acquire);
        if (rm_load((const int64_t *)slot) == before) return before;
    }
    return -1;
}

#endif
"""


def header() -> str:
    """Return the whole header."""
    parts = [_HEAD, _segment_header()]
    parts += [_record(record) for record in RECORD_TYPES]
    return "\n".join(parts) + _FUNCTIONS


def _segment_header() -> str:
    lines = ["struct rm_header {"]
    names = [name for name, _ in SegmentHeader._fields_]
    for name, ctype in SegmentHeader._fields_:
        bytes_of_one = 1 if name in ("record_name", "writer") else 8
        count = ctypes.sizeof(ctype) // bytes_of_one
        kind = "char" if bytes_of_one == 1 else "int64_t"
        lines.append(f"    {kind} {name}{f'[{count}]' if count > 1 else ''};")
    lines.append("};")
    shown = [name for name in names if not name.startswith("_")]
    lines += [_checked_offset("rm_header", name, getattr(SegmentHeader, name).offset) for name in shown]
    lines.append(_checked_size("rm_header", layout.HEADER_BYTES))
    return "\n".join(lines) + "\n"


def _record(record: RecordType) -> str:
    struct = f"rm_{record.name}"
    macro = f"RM_{record.name.upper()}"
    lines = [f"/* {record.doc} */", f"#define {macro}_TYPE_ID {record.type_id}"]
    lines += [f"#define {macro}_LAYOUT_HASH INT64_C({record.layout_hash():#018x})", f"struct {struct} {{"]
    width = max(len(_declaration(field)) for field in record.fields)
    lines += [f"    {_declaration(field):<{width}} /* {field.doc} */" for field in record.fields]
    used_bytes = sum(field.words for field in record.fields) * 8
    if used_bytes < record.size_bytes:
        lines.append(f"    char _reserved[{record.size_bytes - used_bytes}];")
    lines.append("};")
    lines += [_checked_offset(struct, field.name, record.offset(field.name)) for field in record.fields]
    lines.append(_checked_size(struct, record.size_bytes))
    return "\n".join(lines) + "\n"


def _declaration(field: Field) -> str:
    counts = ([str(field.count)] if field.count > 1 else []) + ([str(TEXT_BYTES)] if field.kind == "text" else [])
    return f"{_C_TYPES[field.kind]} {field.name}{''.join(f'[{count}]' for count in counts)};"


def _checked_offset(struct: str, field: str, offset: int) -> str:
    return f'_Static_assert(offsetof(struct {struct}, {field}) == {offset}, "{struct}.{field}");'


def _checked_size(struct: str, size_bytes: int) -> str:
    return f'_Static_assert(sizeof(struct {struct}) == {size_bytes}, "{struct}");'


if __name__ == "__main__":
    sys.stdout.write(header())
