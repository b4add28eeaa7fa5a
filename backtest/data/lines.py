"""Lines of a plain, gzip or zip file, read in blocks: constant memory, one clear line when a file is damaged."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from backtest.data.events import source_code
from backtest.data.findings import DataError, Findings, Repair

BLOCK_BYTES = 1 << 20
_Damage = EOFError | gzip.BadGzipFile | zlib.error | zipfile.BadZipFile


def line_blocks(findings: Findings, file_number: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (number of the first line, lines without their ends) of a file, block by block.

    Raises:
        DataError: for a file that is not there, can't be opened, or is damaged or cut short and not to be repaired.
    """
    first_line = 1
    rest = b""
    damage: _Damage | None = None
    with _opened(findings.paths[file_number]) as file:
        while damage is None:
            block, damage = _read(file)
            if not block:
                break
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            yield first_line, lines
            first_line += len(lines)
    if damage is not None:
        text = f"the file is damaged or cut short here ({damage}); fetch it anew"
        findings.fault(Repair.TRUNCATED, source_code(file_number, first_line), text)
    elif rest:
        yield first_line, [rest]


def _read(file: io.BufferedReader) -> tuple[bytes, _Damage | None]:
    """Return about BLOCK_BYTES, empty at the end, and what ended them too early."""
    parts: list[bytes] = []
    size = 0
    while size < BLOCK_BYTES:
        try:
            part = file.read1(BLOCK_BYTES)  # what was unpacked before a damage is still given out
        except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile) as error:
            return b"".join(parts), error
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts), None


def head(path: Path, size: int = 4096) -> bytes:
    """Return the first bytes of a file's contents, unpacked; as far as they can be read."""
    with _opened(path) as file:
        try:
            return file.read1(size)
        except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: the file is damaged ({error}); fetch it anew") from None


def _opened(path: Path) -> io.BufferedReader:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic[:2] == b"\x1f\x8b":
            return cast(io.BufferedReader, gzip.open(path, "rb"))
        if magic == b"PK\x03\x04":
            return _member(path)
        return io.BufferedReader(path.open("rb", buffering=0))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; check the path") from None


def _member(path: Path) -> io.BufferedReader:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: the zip file is damaged or cut short ({error}); fetch it anew") from None
    names = [name for name in archive.namelist() if not name.endswith("/")]
    if len(names) != 1:
        raise DataError(f"{path}: expected one file in the zip, found {len(names)}; unpack it and give the files")
    return cast(io.BufferedReader, archive.open(names[0]))
