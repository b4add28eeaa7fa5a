"""Where a session keeps its files.

run directory    sockets, lock, venue.json; 0700, short path (ZeroMQ allows 107 bytes), gone after the run
runs/<id>/       what a run leaves: summary.json, logs/, journal; runs/latest points to the newest session
state/<session>/ what must survive the segments: risk latch, day-start equity, last `iat` of a key
"""

from __future__ import annotations

import os
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from domain.errors import UserError

IPC_PATH_BYTES_MAX = 107
# What stands in the folder of a run:
CONFIG_FILE = "config.json"  # the configuration as its supervisor understood it
SUMMARY_FILE = "summary.json"  # how it went, written at its end
JOURNAL_FILE = "execution.journal"  # what execution sent and heard


def home() -> Path:
    """Return the folder that holds runs/ and state/: RINGMAKER_HOME, or the current folder."""
    return Path(os.environ.get("RINGMAKER_HOME") or Path.cwd())


def run_root() -> Path:
    """Return the folder that holds the run directories of this user's sessions."""
    configured = os.environ.get("RINGMAKER_RUN_ROOT")
    if configured:
        return Path(configured)
    runtime_dir = os.environ.get("XDG_RUNTIME_DIR")
    if runtime_dir and os.access(runtime_dir, os.W_OK):
        return Path(runtime_dir) / "ringmaker"
    return Path("/tmp") / f"ringmaker-{os.getuid()}"


def run_directory(session: str) -> Path:
    """Return the session's run directory, whether it exists or not."""
    return run_root() / session


def make_private(directory: Path) -> Path:
    """Create `directory` (and parents) for this user alone, and return it.

    Raises:
        UserError: if it belongs to somebody else or others may enter it.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = directory.stat()
    if found.st_uid != os.getuid():
        raise UserError(
            f"{directory} belongs to uid {found.st_uid}, not to you: set RINGMAKER_RUN_ROOT to another folder"
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        directory.chmod(0o700)
    return directory


def socket_address(session: str, process: str) -> str:
    """Return the ZeroMQ address of a process of the session.

    Raises:
        UserError: if the path is too long for a Unix socket.
    """
    path = run_directory(session) / f"{process}.sock"
    if len(os.fsencode(path)) > IPC_PATH_BYTES_MAX:
        raise UserError(f"socket path too long ({path}): set RINGMAKER_RUN_ROOT to a shorter folder")
    return f"ipc://{path}"


def state_directory(session: str) -> Path:
    """Return, and create, the folder of what survives the session."""
    return make_private(home() / "state" / session)


def new_run(session: str) -> Path:
    """Create runs/<id>/ with logs/. The id is UTC time and session.

    Raises:
        UserError: if the disk refuses it.
    """
    runs = home() / "runs"
    try:
        return _new_folder(runs, session)
    except OSError as error:
        raise UserError(
            f"{runs}: no run can be kept there ({error.strerror}): mend that, or set RINGMAKER_HOME to another folder"
        ) from None


def _new_folder(runs: Path, session: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    runs.mkdir(parents=True, exist_ok=True, mode=0o700)
    run = runs / f"{stamp}-{session}"
    suffix = 1
    while run.exists():
        suffix += 1
        run = runs / f"{stamp}-{session}-{suffix}"
    run.mkdir(mode=0o700)
    (run / "logs").mkdir(mode=0o700)
    return run


def point_latest(run: Path) -> None:
    """Have runs/latest point to `run`."""
    link = run.parent / f".latest-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(run.name)
    link.replace(run.parent / "latest")


def find_run(given: Path | None) -> Path:
    """Return the folder of a run: by path, by name, or the newest session's.

    Raises:
        UserError: when there is none.
    """
    runs = home() / "runs"
    if given is None:
        if not (runs / "latest").is_dir():
            raise UserError(f"no session has run from {home()} yet: `make run` starts one; or name the folder of a run")
        return runs / "latest"
    found = given if given.is_dir() else runs / given
    if not found.is_dir():
        there_is = "runs/latest is the newest one" if (runs / "latest").is_dir() else f"there is none in {runs} yet"
        raise UserError(f"{given}: no such run; {there_is}")
    return found


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file `path` by `content`, whole or not at all; for this user alone."""
    fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_at(fd: int, content: bytes, offset: int) -> None:
    """Write all of it; what a full disk took of it is overwritten by the next try. OSError when the disk refuses."""
    while content:
        written = os.pwrite(fd, content, offset)
        content, offset = content[written:], offset + written
