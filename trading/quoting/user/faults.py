"""What numba or a running function says of a user's file, in one line: file, line, why."""

from __future__ import annotations

import ast
import re
import traceback
from collections.abc import Sequence

from trading.quoting.user.source import UserSource

_NOISE = ("Failed in nopython mode", "During:", "File ", "There are ", " - Of which", "Overload of", "This error may")
_UNKNOWN_NAME = re.compile(r"name '(\w+)' is not defined|global name '(\w+)'|no field '(\w+)'")
_TEXT_MAX = 300


def compile_fault(error: Exception, source: UserSource, function: str, module: str) -> str:
    """Return why `function` of a file does not compile; `module` is the name of the file's copy."""
    text = str(error)
    reason = f"there is no field {text}" if isinstance(error, KeyError) else _reason(text) or type(error).__name__
    line = _line_in(text, module) or _line_of_name(source, reason) or _line_of(source, function)
    return f"{source.path}:{line}: {function} does not compile: {reason}"


def running_fault(error: Exception, sources: Sequence[tuple[str, UserSource]], function: str) -> str:
    """Return what went wrong while `function` ran; `sources` with the name of each one's copy.

    Compiled code says the line of a `raise`, but not that of an index out of range.
    """
    told = f"{type(error).__name__}: {' '.join(str(error).split())[:_TEXT_MAX]}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        for module, source in sources:
            if frame.filename.endswith(f"/{module}.py"):
                return f"{source.path}:{frame.lineno}: {frame.name}: {told}"
    where = [f"{source.path}: {'signal' if module == 'signal' else function}" for module, source in sources
             if module != "signal" or function in ("on_book", "on_trade")]  # fmt: skip
    return f"{' or '.join(where)}: {told}"


def _reason(text: str) -> str:
    """Return the first lines that say something, as one."""
    told: list[str] = []
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare.startswith(_NOISE):
            if told and not told[-1].endswith(":"):
                break
            continue
        told.append(bare)
    return " ".join(told)[:_TEXT_MAX]


def _line_in(text: str, module: str) -> int | None:
    """Return the first line of the user's file that numba names: the innermost of its chain."""
    found = re.search(rf'{module}\.py(?:", line |\s*\()(\d+)', text)
    return int(found[1]) if found else None


def _line_of_name(source: UserSource, reason: str) -> int | None:
    """Return the first line in which the name stands that numba does not know, as a name or in quotes."""
    found = _UNKNOWN_NAME.search(reason)
    if found is None:
        return None
    name = next(group for group in found.groups() if group)
    lines = [
        node.lineno
        for node in ast.walk(ast.parse(source.text))
        if (isinstance(node, ast.Name) and node.id == name) or (isinstance(node, ast.Constant) and node.value == name)
    ]
    return min(lines, default=None)


def _line_of(source: UserSource, function: str) -> int:
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return node.lineno
    return 1
