"""Read .env: NAME=value lines, quotes around a value stripped, a quoted value may span lines (PEM keys)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, MutableMapping
from pathlib import Path

from domain.errors import CredentialsError

_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*
        (?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\n#]*))""",
    re.MULTILINE | re.VERBOSE,
)


def parse_dotenv(text: str) -> dict[str, str]:
    """Return the assignments of a .env text."""
    values = {}
    for match in _LINE.finditer(text):
        quoted = match["double"] if match["double"] is not None else match["single"]
        values[match["name"]] = quoted if quoted is not None else match["bare"].strip()
    return values


def _refuse(fault: str) -> None:
    raise CredentialsError(fault)


def load_dotenv(
    path: Path, environ: MutableMapping[str, str] = os.environ, *, warn: Callable[[str], None] = _refuse
) -> None:
    """Add what .env says to `environ`; what is set there already stays. No file: nothing happens.

    Args:
        warn: is told what is wrong with the file, for those who must go on with what it says nevertheless.

    Raises:
        CredentialsError: without `warn`, if others may read the file or we cannot.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        warn(f"{path}: cannot be read: {error}")
        return
    if mode & 0o077:
        warn(f"{path} may hold keys and others may read it (mode {mode:04o}): chmod 600 {path}")
    for name, value in parse_dotenv(text).items():
        environ.setdefault(name, value)
