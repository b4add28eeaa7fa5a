"""`python -m actors.execution.read_journal FILE...`: prints journals as JSON lines, up to the first damage.

Exit code 1 when a file has bytes that cannot be believed; how many, and from where, goes to standard error.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from actors.execution.journal_format import Contents, Entry, NewerVersionError, read


def read_journal(path: Path) -> list[Entry]:
    """Return the entries of a journal, also of one that is being written; what is damaged or torn is left out."""
    return read(path.read_bytes()).entries


def as_line(entry: Entry) -> str:
    """Return an entry as one JSON object, `entry` its kind."""
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return msgspec.json.encode({"entry": entry.__struct_config__.tag, **fields}).decode()


def main(arguments: Sequence[str]) -> int:
    """Print each file; return the exit code."""
    if not arguments or arguments[0].startswith("-"):
        print("usage: python -m actors.execution.read_journal FILE...", file=sys.stderr)
        return 2
    is_whole = True
    for name in arguments:
        try:
            content = Path(name).read_bytes()
            contents = read(content)
        except OSError as error:
            print(f"{name}: cannot be read: {error.strerror}", file=sys.stderr)
            return 2
        except NewerVersionError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        for entry in contents.entries:
            print(as_line(entry))
        is_whole &= _told_whole(name, content, contents)
    return 0 if is_whole else 1


def _told_whole(name: str, content: bytes, contents: Contents) -> bool:
    rest = len(content) - contents.end
    if rest:
        print(f"{name}: {rest} bytes from offset {contents.end} on are damaged or torn", file=sys.stderr)
    return not rest


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends it without a word
    sys.exit(main(sys.argv[1:]))
