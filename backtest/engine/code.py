"""The event loop for a user's strategy: the same module, written anew beside the user's code with its functions in it.

As live (trading/quoting/user/code.py): numba does not cache a kernel that is passed as an argument, so the import says
which one is called. A second run with the same sources finds its machine code.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backtest.engine import loop
from domain.errors import ConfigError
from trading.quoting.config import QuotingConfig
from trading.quoting.user.code import STANDARD, StrategyCode, load_code
from trading.quoting.user.faults import running_fault
from trading.quoting.user.source import read_sources
from trading.signals.config import SignalsConfig

_STANDARD_IMPORT = re.compile(r"^from trading\.quoting\.standard import ", re.MULTILINE)

Play = Callable[..., bool]


@functools.cache
def _loaded(file: str, signal: str, digests: tuple[str, ...]) -> StrategyCode:
    return load_code(QuotingConfig(file=file, signals=SignalsConfig(user=signal)))


def code_of(config: QuotingConfig) -> StrategyCode:
    """Return the code that a configuration asks for, as `load_code`; loaded once while its files stay the same.

    Raises:
        ConfigError: in one line: which file, which line, what is wrong.
    """
    if not config.file and not config.signals.user:
        return STANDARD
    digests = tuple(source.digest if source else "" for source in read_sources(config))
    return _loaded(config.file, config.signals.user, digests)


def load_loop(code: StrategyCode) -> Play:
    """Return `play` of the event loop that calls the functions of `code`.

    What it raises while it runs is told as a ConfigError: file, line and why.
    """
    if code.is_standard:
        return loop.play
    package = code.entries.__name__.rpartition(".")[0]
    folder = Path(sys.modules[package].__path__[0])
    text, count = _STANDARD_IMPORT.subn(f"from {package}.entries import ", Path(loop.__file__).read_text("utf-8"))
    assert count == 1, "loop.py no longer imports the standard strategy in one line"
    _write(folder / "loop.py", text)
    own = importlib.import_module(f"{package}.loop")
    return _watched(own.play, code)


def _watched(play: Play, code: StrategyCode) -> Play:
    def watched(*arguments: Any) -> bool:
        try:
            return play(*arguments)
        except (ArithmeticError, LookupError, ValueError) as error:
            raise ConfigError(running_fault(error, code.copies, "the strategy")) from error

    return watched


def _write(path: Path, text: str) -> None:
    """Write a module where it does not stand yet: numba goes by the times of files."""
    if path.exists() and path.read_text("utf-8") == text:
        return
    fresh = path.with_name(f"loop.{os.getpid()}.new")
    fresh.write_text(text, "utf-8")
    fresh.replace(path)
