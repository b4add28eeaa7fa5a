"""The ctypes structures and the C header say of every byte what the schema says."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.codes import SegmentKind
from domain.records import RECORD_TYPES, SHARED_MARKET_DATA, TRADE, RecordType
from shm import layout
from shm.header import header
from shm.ring import RingWriter
from shm.segment import create_segment
from shm.structures import STRUCTURES, SegmentHeader, class_name

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
STRICT = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler on this machine")


def compiled(source: Path, folder: Path) -> Path:
    program = folder / source.stem
    command = [str(COMPILER), *STRICT, f"-I{SCRIPTS}", "-o", str(program), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.parametrize("record", RECORD_TYPES, ids=lambda record: record.name)
def test_a_structure_has_the_layout_of_its_record(record: RecordType) -> None:
    structure = STRUCTURES[record.name]
    assert ctypes.sizeof(structure) == record.size_bytes == record.dtype.itemsize
    for field in record.fields:
        found = getattr(structure, field.name)
        assert (found.offset, found.size) == (record.offset(field.name), field.words * 8), field.name


def test_structures_have_readable_names() -> None:
    assert class_name(SHARED_MARKET_DATA) == "SharedMarketData"
    assert STRUCTURES["shared_market_data"].__name__ == "SharedMarketData"


def test_a_structure_reads_what_a_ring_wrote(segment_name: Callable[[], str]) -> None:
    segment = create_segment(segment_name(), SegmentKind.RING, TRADE, 4, writer="market_data")
    writer = RingWriter(segment)
    writer.floats[TRADE.word("price")] = 100.25
    writer.publish()
    head = SegmentHeader.from_buffer_copy(segment.memory)
    assert (head.magic, head.kind, head.slot_bytes, head.capacity, head.head, head.epoch, head.closed) == (
        layout.MAGIC, 1, 64, 4, 1, 1, 0,
    )  # fmt: skip
    assert (head.record_name, head.writer) == (b"trade", b"market_data")
    assert head.layout_hash == TRADE.layout_hash()
    trade = STRUCTURES["trade"].from_buffer_copy(segment.memory, layout.HEADER_BYTES)
    assert (trade.sequence, trade.price) == (1, 100.25)  # type: ignore[attr-defined]


@needs_compiler
def test_the_c_compiler_agrees_on_every_offset(tmp_path: Path) -> None:
    # Given a program that prints what the compiler makes of the generated header
    wanted, lines = [], []
    for record in RECORD_TYPES:
        struct = f"struct rm_{record.name}"
        wanted.append(f"{record.name} {record.size_bytes} {record.layout_hash()}")
        lines.append(
            f'printf("{record.name} %zu %" PRId64 "\\n", sizeof({struct}), RM_{record.name.upper()}_LAYOUT_HASH);'
        )
        for field in record.fields:
            wanted.append(f"{record.name}.{field.name} {record.offset(field.name)} {field.words * 8}")
            member = f"(({struct} *)0)->{field.name}"
            lines.append(
                f'printf("{record.name}.{field.name} %zu %zu\\n", offsetof({struct}, {field.name}), sizeof {member});'
            )
    source = tmp_path / "offsets.c"
    source.write_text(
        '#include <inttypes.h>\n#include <stdio.h>\n#include "ringmaker.h"\nint main(void) {\n'
        + "\n".join(lines)
        + "\nreturn 0;\n}\n"
    )
    (tmp_path / "ringmaker.h").write_text(header())
    # If it is compiled and run
    printed = subprocess.run([compiled(source, tmp_path)], capture_output=True, text=True, timeout=60, check=True)
    # I expect the schema's numbers
    assert printed.stdout.splitlines() == wanted


READER = """
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "ringmaker.h"
int main(int argc, char **argv) {
    struct stat found;
    struct rm_trade trade;
    int64_t position = 0, lost = 0;
    int fd = open(argv[argc - 1], O_RDONLY);
    if (fd < 0 || fstat(fd, &found)) return 1;
    const struct rm_header *ring = mmap(NULL, (size_t)found.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (!rm_check(ring, (size_t)found.st_size, RM_KIND_RING, RM_TRADE_LAYOUT_HASH)) return 2;
    while (rm_ring_read(ring, &position, &lost, &trade)) printf("%g ", trade.price);
    printf("lost %d\\n", (int)lost);
    return 0;
}
"""


@needs_compiler
def test_a_c_reader_reads_in_order_and_counts_what_it_lost(segment_name: Callable[[], str], tmp_path: Path) -> None:
    segment = create_segment(segment_name(), SegmentKind.RING, TRADE, 4)
    writer = RingWriter(segment)
    for price in range(7):
        writer.floats[TRADE.word("price")] = price
        writer.publish()
    segment.words[layout.HEADER_BYTES + 3 * TRADE.size_bytes >> 3] = 0  # the writer is inside the oldest slot
    source = tmp_path / "reader.c"
    source.write_text(READER)
    file = Path(layout.SHM_FOLDER, segment.name)
    printed = subprocess.run([compiled(source, tmp_path), file], capture_output=True, text=True, timeout=60, check=True)
    assert printed.stdout == "4 5 6 lost 4\n"


@needs_compiler
def test_the_c_example_compiles_and_says_when_there_is_no_session(tmp_path: Path) -> None:
    program = compiled(SCRIPTS / "attach_example.c", tmp_path)
    done = subprocess.run([program, "nobody"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "is session `nobody` running?" in done.stderr
