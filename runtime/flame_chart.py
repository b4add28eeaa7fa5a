"""The flame chart of a profile as one HTML page, rendered in a process of its own that gives way to every other.

    python -m runtime.flame_chart PARENT_PID PAGE < PROFILE

Rendering computes for a third of a second and more, and holds the interpreter meanwhile: a work loop that did it would
fall silent. A profile is a marshalled head and marshalled pieces of samples, up to the end of the file.
"""

from __future__ import annotations

import marshal
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from pyinstrument.renderers import HTMLRenderer
from pyinstrument.session import Session

from runtime.parent import die_with
from runtime.paths import write_atomically
from runtime.priority import give_way


def write_head(file: IO[bytes], session: Session) -> None:
    """Begin a profile with everything but its samples."""
    marshal.dump(session.to_json(include_frame_records=False), file)


def write_samples(file: IO[bytes], records: Sequence[Any]) -> None:
    """Add a piece of a session's `frame_records`."""
    marshal.dump(list(records), file)


def read_profile(file: IO[bytes]) -> Session:
    """Return the session that was written, whole."""
    head = marshal.load(file)
    records: list[Any] = []
    while True:
        try:
            records += marshal.load(file)
        except EOFError:
            break
    session: Session = Session.from_json({**head, "frame_records": records})
    return session


def main(arguments: Sequence[str]) -> None:
    """Render standard input to a page, for as long as the parent lives; SystemExit says what the disk refuses."""
    parent_pid, page = int(arguments[0]), Path(arguments[1])
    die_with(parent_pid, signal.SIGKILL)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # the actor's own core is the actor's
    give_way()
    try:
        page.parent.mkdir(exist_ok=True)
        write_atomically(page, HTMLRenderer().render(read_profile(sys.stdin.buffer)).encode())
    except OSError as error:
        sys.exit(f"{page}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
