"""Makes a user's file run: as machine code where this process compiles, else as it is.

numba neither caches a kernel that is passed as an argument nor notices a changed callee in another module. So the
user's file is copied under a name that is the hash of everything it depends on, and trading/quoting/entries.py is
written anew beside it, with the user's functions in the place of the standard import. A start with the same sources
finds its machine code where the start before left it.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
import traceback
import types
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from domain import jit
from domain.errors import ConfigError
from domain.records import TRADE
from trading.quoting import entries
from trading.quoting.config import QuotingConfig
from trading.quoting.records import QUOTER, ROLES
from trading.quoting.user.faults import compile_fault
from trading.quoting.user.source import (
    SIGNAL_FUNCTIONS,
    STRATEGY_FUNCTIONS,
    UserSource,
    check_values,
    read_sources,
)
from trading.words import Words, role

_STANDARD_IMPORT = re.compile(r"^from trading\.quoting\.standard import ([\w, ]+)\n", re.MULTILINE)
_STRATEGY_IMPORT = """\
from trading.quoting.user.guard import check_ladder, may_quote
from {package}.strategy import on_book, on_fill, on_trade
from {package}.strategy import quote as wanted_quote
"""
_GUARDED_QUOTE = '''

@kernel
def quote(q: Record) -> None:
    """The user's quote, if anything may be quoted, held to every limit."""
    if may_quote(q):
        wanted_quote(q)
        check_ladder(q)
'''
_SIGNAL_IMPORT = """\
from trading.signals.kernels import take_user_signal
from {package}.signal import signal
"""
_SIGNAL_AT_CANDLE = '''

@kernel
def on_candle(q: Record) -> None:
    """A candle has closed: the user's signal is worked out anew."""
    take_user_signal(q["signal_params"], q["signals"], signal(q))
'''


class StrategyCode(NamedTuple):
    """What a quoter runs.

    Attributes:
        entries: the module of entries.
        quoter: dtype of the QUOTER record, with the roles `user` and `user_signal` when there is code of the user's.
        strategy, signal: the user's files; None = the standard one.
        digest: of the files; empty when everything is standard.
    """

    entries: types.ModuleType
    quoter: np.dtype[np.void]
    strategy: UserSource | None = None
    signal: UserSource | None = None
    digest: str = ""

    @property
    def is_standard(self) -> bool:
        return not self.digest

    @property
    def sources(self) -> list[tuple[str, UserSource]]:
        """The user's files, each with the name of its role in the QUOTER record."""
        return [(name, source) for name, source in (("user", self.strategy), ("user_signal", self.signal)) if source]

    @property
    def copies(self) -> list[tuple[str, UserSource]]:
        """The user's files, each with the module name of its copy."""
        return [(name, source) for name, source in (("strategy", self.strategy), ("signal", self.signal)) if source]

    def begin(self, record: npt.NDArray[np.void]) -> None:
        """Set what the user's functions remember to where their files let it begin."""
        for name, source in self.sources:
            for field, value in source.state.items():
                record[name][field] = value

    def described(self) -> dict[str, str]:
        """Return the files, for a log."""
        return {part: str(source.path) for part, source in self.copies} | {"digest": self.digest}

    def check(self, config: QuotingConfig) -> None:
        """Refuse a configuration that this code cannot take.

        Raises:
            ConfigError: as `values`.
        """
        self.values(config)

    def values(self, config: QuotingConfig) -> dict[str, dict[str, float]]:
        """Return the parameters' values by role and name, as `config` gives them, else their defaults.

        Raises:
            ConfigError: for a value that a file does not want, or when `config` names other files than these.
        """
        names = tuple(str(source.path) if source else "" for source in (self.strategy, self.signal))
        if (config.file, config.signals.user) != names:
            raise ConfigError(
                "[strategy] file and [strategy.signals] user are taken over at the next start, not before"
            )
        return {
            "user": check_values(self.strategy, "[strategy.user]", "[strategy] file", config.user),
            "user_signal": check_values(
                self.signal, "[strategy.signals.parameters]", "[strategy.signals] user", config.signals.parameters
            ),
        }

    def write_values(self, record: npt.NDArray[np.void], config: QuotingConfig) -> None:
        """Set the user's parameters in a QUOTER record, shape (1,).

        Raises:
            ConfigError: as `values`; nothing has changed then.
        """
        for name, values in self.values(config).items():
            for field, value in values.items():
                record[name][field] = value

    def configured(self, record: npt.NDArray[np.void]) -> bytes:
        """Return what the parameters' hash has to cover: the files and the parameters in force."""
        fields = [record[name][field].tobytes() for name, source in self.sources for field in source.parameters]
        return b"".join((self.digest.encode(), *fields))


STANDARD = StrategyCode(entries, QUOTER)


def load_code(config: QuotingConfig) -> StrategyCode:
    """Return the code that a configuration asks for: the standard one, or with the user's files in it.

    Raises:
        ConfigError: in one line: which file, which line, what is wrong.
    """
    strategy, signal = read_sources(config)
    if strategy is None and signal is None:
        return STANDARD
    key = "".join(source.digest if source else "-" for source in (strategy, signal))
    digest = hashlib.sha256(key.encode()).hexdigest()[:24]
    package = f"ringmaker_user_{digest}"
    folder = jit.generated_dir() / digest
    _write(folder, package, strategy, signal)
    _register(package, folder)
    for name, source in (("strategy", strategy), ("signal", signal)):
        if source:
            _import(f"{package}.{name}", source)
    code = StrategyCode(
        importlib.import_module(f"{package}.entries"), _quoter_dtype(strategy, signal), strategy, signal, digest
    )
    _compile(code, package)
    return code


def user_record(source: UserSource | None) -> np.dtype[np.void]:
    """Return the dtype of what a file may read and write: its parameters and its state, one float64 each."""
    names = (*source.parameters, *source.state) if source else ()
    return role([Words(name, "f8") for name in names or ("unused",)])


def _quoter_dtype(strategy: UserSource | None, signal: UserSource | None) -> np.dtype[np.void]:
    """Return QUOTER with the user's two roles behind all others, which stay where they are."""
    own = {"user": user_record(strategy), "user_signal": user_record(signal)}
    formats = {**ROLES, **own}
    offsets = [int(QUOTER.fields[name][1]) for name in ROLES]  # type: ignore[index]
    size = QUOTER.itemsize
    for dtype in own.values():
        offsets.append(size)
        size += dtype.itemsize
    layout = {"names": list(formats), "formats": list(formats.values()), "offsets": offsets, "itemsize": size}
    return np.dtype(layout)  # type: ignore[call-overload, no-any-return]


def _entries_text(package: str, strategy: UserSource | None, signal: UserSource | None) -> str:
    """Return the text of entries.py with the user's functions imported directly."""
    text = Path(str(entries.__file__)).read_text(encoding="utf-8")
    standard = _STANDARD_IMPORT.findall(text)
    assert len(standard) == 1, "entries.py no longer imports the standard strategy in one line"
    replaced = (set(STRATEGY_FUNCTIONS) if strategy else set()) | ({"on_candle"} if signal else set())
    kept = [name for name in standard[0].split(", ") if name not in replaced]
    imports = f"from trading.quoting.standard import {', '.join(kept)}\n" if kept else ""
    imports += (_STRATEGY_IMPORT if strategy else "") + (_SIGNAL_IMPORT if signal else "")
    body = (_GUARDED_QUOTE if strategy else "") + (_SIGNAL_AT_CANDLE if signal else "")
    return _STANDARD_IMPORT.sub(lambda _: imports.format(package=package) + body, text)


def _write(folder: Path, package: str, strategy: UserSource | None, signal: UserSource | None) -> None:
    """Write the modules where they are not yet. Files that stand stay: numba goes by their times."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"entries": _entries_text(package, strategy, signal)}
    texts |= {name: source.text for name, source in (("strategy", strategy), ("signal", signal)) if source}
    for name, text in texts.items():
        path = folder / f"{name}.py"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        fresh = folder / f"{name}.{os.getpid()}.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)


def _register(package: str, folder: Path) -> None:
    module = types.ModuleType(package)
    module.__path__ = [str(folder)]
    sys.modules.setdefault(package, module)


def _import(name: str, source: UserSource) -> None:
    """Import the copy of a user's file, every function of it a kernel that checks its indices.

    Raises:
        ConfigError: when the file does not get through its own import.
    """
    if name in sys.modules:
        return
    try:
        module = importlib.import_module(name)
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.name == "<module>"]
        where = f"{source.path}:{lines[-1]}" if lines else str(source.path)
        raise ConfigError(f"{where}: {type(error).__name__}: {error}") from None
    with jit.checked_bounds():
        for attribute, value in list(vars(module).items()):
            plain = getattr(value, "py_func", value)  # of one that the file has made a kernel itself
            if isinstance(plain, types.FunctionType) and plain.__module__ == name:
                setattr(module, attribute, jit.kernel_with_arrays(plain))


def _compile(code: StrategyCode, package: str) -> None:
    """Compile each function of the user's by itself, so that a fault is told of the function that has it.

    Raises:
        ConfigError: at the first that does not compile.
    """
    if not jit.is_enabled():
        return
    from numba import int64, typeof
    from numba.core.errors import NumbaExperimentalFeatureWarning

    # QUOTER is the beginning of the user's record, so what is compiled for the one serves the other; that is meant.
    warnings.simplefilter("ignore", NumbaExperimentalFeatureWarning)

    q, trade = (typeof(np.zeros(1, dtype)).dtype for dtype in (code.quoter, TRADE.dtype))  # type: ignore[no-untyped-call]
    arguments: dict[str, tuple[Any, ...]] = {
        "on_book": (q,), "on_trade": (q, trade), "on_fill": (q, int64, int64, int64), "quote": (q,), "signal": (q,),
    }  # fmt: skip
    for part, source in code.copies:
        for name in STRATEGY_FUNCTIONS if part == "strategy" else SIGNAL_FUNCTIONS:
            function = getattr(sys.modules[f"{package}.{part}"], name)
            try:
                function.compile(arguments[name])
            except Exception as error:
                raise ConfigError(compile_fault(error, source, name, part)) from None
