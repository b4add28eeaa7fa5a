"""`python -m actors.execution.read_journal FILE...`: prints journals as JSON lines, up to the first damage.

Before the file that is written now come those that were written before it: `execution.journal` alone tells all that is
kept. Exit code 1 when a file has bytes that cannot be believed; how many, and from where, goes to standard error.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from actors.execution.journal_files import earlier_files, read_all
from actors.execution.journal_format import (
    HEADER_BYTES_MAX,
    Carried,
    Contents,
    Entry,
    NewerVersionError,
    read,
    read_header,
)
from trading.fill_keys import FINGERPRINT_BYTES


def read_journal(path: Path) -> list[Entry]:
    """Return all that is kept of a journal, also of one that is being written; what is damaged or torn is left out.

    Args:
        path: of the file that is written now.
    """
    return [entry for file in read_files(path) for entry in file.contents.entries]


class ReadFile(NamedTuple):
    """A file of a journal and what is good of it."""

    path: Path
    size_bytes: int
    contents: Contents


def read_files(path: Path) -> Iterator[ReadFile]:
    """Return the files of a journal, oldest first, the one at `path` last, all that it took over at its beginning.

    Raises:
        OSError: it cannot be read.
        NewerVersionError: a later program wrote it.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # what it is now, whatever takes its place meanwhile
    try:
        for file in earlier_files(path, read_header(os.pread(fd, HEADER_BYTES_MAX, 0))):
            with contextlib.suppress(FileNotFoundError):  # the oldest was deleted meanwhile
                yield _read_file(file.path, file.path.read_bytes())
        yield _read_file(path, read_all(fd))
    finally:
        os.close(fd)


def _read_file(path: Path, content: bytes) -> ReadFile:
    return ReadFile(path, len(content), read(content))


def as_line(entry: Entry) -> str:
    """Return an entry as one JSON object, `entry` its kind."""
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    if isinstance(entry, Carried):
        # how many; the bits tell nobody anything
        fields["fills"] = (len(entry.fills) + entry.sealed_bytes) // FINGERPRINT_BYTES
    return msgspec.json.encode({"entry": entry.__struct_config__.tag, **fields}).decode()


def main(arguments: Sequence[str]) -> int:
    """Print each file; return the exit code."""
    if not arguments or arguments[0].startswith("-"):
        print("usage: python -m actors.execution.read_journal FILE...", file=sys.stderr)
        return 2
    is_whole = True
    for name in arguments:
        try:
            for file in read_files(Path(name)):
                for entry in file.contents.entries:
                    print(as_line(entry))
                is_whole &= _told_whole(file)
        except OSError as error:
            print(f"{name}: cannot be read: {error.strerror}", file=sys.stderr)
            return 2
        except NewerVersionError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
    return 0 if is_whole else 1


def _told_whole(file: ReadFile) -> bool:
    rest = file.size_bytes - file.contents.end
    if rest:
        print(f"{file.path}: {rest} bytes from offset {file.contents.end} on are damaged or torn", file=sys.stderr)
    return not rest


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends it without a word
    sys.exit(main(sys.argv[1:]))
