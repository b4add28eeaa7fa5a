"""Read .env: NAME=value lines, quotes around a value stripped, a quoted value may span lines (PEM keys)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import MutableMapping
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


def load_dotenv(path: Path, environ: MutableMapping[str, str] = os.environ) -> None:
    """Add what .env says to `environ`; what is set there already stays. No file: nothing happens.

    Raises:
        CredentialsError: if others may read the file.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return
    if mode & 0o077:
        raise CredentialsError(f"{path} may hold keys and others may read it (mode {mode:04o}): chmod 600 {path}")
    for name, value in parse_dotenv(path.read_text()).items():
        environ.setdefault(name, value)
