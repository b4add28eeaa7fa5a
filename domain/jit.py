"""Decides, per process, whether kernels are machine code or plain Python.

A process that sets RINGMAKER_JIT=1 before it imports a kernel compiles it with numba and keeps the machine code
on disk; every other process runs the same functions interpreted and never imports numba.

numba's own cache looks only at the file of the function itself: an edited callee in another module keeps its old
machine code. So the cache directory is named after everything that the code depends on: the text of all kernel
modules and of what they import, numba, NumPy, Python and the processor.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

ENV_JIT = "RINGMAKER_JIT"
ENV_CACHE_DIR = "RINGMAKER_CACHE_DIR"
STANDARD_KERNELS = "quoting"  # those of every session
CACHES_KEPT = 3
CACHE_AGE_S_MIN = 24 * 3600  # a younger cache may belong to a running process of another version

F = TypeVar("F", bound=Callable[..., object])

# What kernels take: one element of a structured array, indexed as rec["field"], and a field of several words.
Record: TypeAlias = Any
Array: TypeAlias = Any

_PROJECT_DIR = Path(__file__).resolve().parent.parent
_KERNEL_PACKAGES = ("domain", "fills", "trading", "backtest")
_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+import\s+([^#\n]+)|import\s+([\w.]+))", re.MULTILINE)
_KERNEL_IMPORT = re.compile(r"^\s*(?:from domain\.jit import|from domain import .*\bjit\b)", re.MULTILINE)

_checks_bounds = False
_left_plain: set[str] = set()  # modules of kernels that were left as they are


def is_enabled() -> bool:
    """Return whether this process compiles the kernels of modules that it imports from now on."""
    return os.environ.get(ENV_JIT) == "1"


def is_compiled(function: object) -> bool:
    """Return whether `function`, a kernel, was compiled in this process."""
    return hasattr(function, "signatures")


def kernel(function: F) -> F:
    """Compile `function` when this process asks for it, else return it untouched.

    Compiled or not it takes the same arguments. Division by zero follows IEEE 754 in both: no kernel may rely on
    ZeroDivisionError. It works on the arrays it is given and makes none, so that its code counts no references: their
    locked instructions took a sixth of a backtest. One that has to make arrays is a `kernel_with_arrays`.
    """
    return _compiled(function, makes_arrays=False)


def inlined_kernel(function: F) -> F:
    """Compile `function` as `kernel` does, as a part of whatever calls it.

    For small ones in the way of every event that take arrays: a call hands over seven words for each of them.
    """
    return _compiled(function, makes_arrays=False, is_inlined=True)


def kernel_with_arrays(function: F) -> F:
    """Compile `function` as `kernel` does, and let it make arrays of its own, or set one as a whole from another."""
    return _compiled(function, makes_arrays=True)


def _compiled(function: F, *, makes_arrays: bool, is_inlined: bool = False) -> F:
    if not is_enabled():
        _left_plain.add(function.__module__)
        return function
    assert not _left_plain, f"imported before {ENV_JIT}=1 was set, so not compiled: {', '.join(sorted(_left_plain))}"
    prepare_numba()
    from numba import njit

    # `_nrt` is said in either case: a kernel for which it is not takes it over from whoever calls it first.
    options: dict[str, Any] = {"_nrt": makes_arrays, "forceinline": is_inlined}
    return cast(F, njit(cache=True, error_model="numpy", boundscheck=_checks_bounds or None, **options)(function))


def prepare_numba() -> None:
    """Let numba be imported, whoever does it first, with the cache of these sources."""
    if "numba" not in sys.modules:
        use_cache_dir()


@contextmanager
def checked_bounds() -> Iterator[None]:
    """Let kernels made inside raise IndexError at an index out of range, as interpreted ones do.

    For code of the user's own: elsewhere such an index would write into whatever lies there.
    """
    global _checks_bounds
    _checks_bounds = True
    try:
        yield
    finally:
        _checks_bounds = False


def generated_dir() -> Path:
    """Return where modules that are written by the program may lie, beside the machine code of these sources."""
    if is_enabled() and "numba" not in sys.modules:
        use_cache_dir()
    return _cache_root() / cache_key(_PROJECT_DIR) / "generated"


def use_cache_dir() -> Path:
    """Point numba at the cache of exactly these sources and versions; call before numba is imported.

    Returns the directory, which exists afterwards and is marked as just used.
    """
    assert "numba" not in sys.modules, "numba reads NUMBA_CACHE_DIR when it is imported: too late now"
    cache_dir = _cache_root() / cache_key(_PROJECT_DIR)
    cache_dir.mkdir(parents=True, exist_ok=True)
    os.utime(cache_dir)
    os.environ["NUMBA_CACHE_DIR"] = str(cache_dir)
    return cache_dir


def is_cold(kernels: str = STANDARD_KERNELS) -> bool:
    """Return whether this process still has to compile the kernels of that name, which takes half a minute.

    Call it once kernels are imported: the sources are those of that moment, whatever is edited meanwhile.
    """
    cache_dir = os.environ.get("NUMBA_CACHE_DIR")
    return cache_dir is not None and not _warm_mark(Path(cache_dir), kernels).exists()


def are_kernels_kept() -> bool:
    """Return whether the standard kernels of these sources are compiled and kept; needs no kernel and no numba."""
    return _warm_mark(_cache_root() / cache_key(_PROJECT_DIR), STANDARD_KERNELS).exists()


def mark_warm(kernels: str = STANDARD_KERNELS) -> None:
    """Note that the kernels of that name are compiled and kept; a disk that refuses costs only the note."""
    cache_dir = os.environ.get("NUMBA_CACHE_DIR")
    if cache_dir is not None:
        with suppress(OSError):
            _warm_mark(Path(cache_dir), kernels).touch()


def _warm_mark(cache_dir: Path, kernels: str) -> Path:
    """Return the note that the kernels are kept there. numba keeps machine code by the folder of the sources, so that
    another copy of the same ones has to compile its own."""
    return cache_dir / f"warm-{kernels}-{hashlib.sha256(os.fsencode(_PROJECT_DIR)).hexdigest()[:16]}"


def prune_caches(now_s: float | None = None) -> list[Path]:
    """Delete caches of other sources or versions and return them; the newest `CACHES_KEPT` and those used within
    the last day stay."""
    now_s = time.time() if now_s is None else now_s
    root = _cache_root()
    if not root.is_dir():
        return []
    by_age = sorted((d for d in root.iterdir() if d.is_dir()), key=lambda d: d.stat().st_mtime, reverse=True)
    old = [d for d in by_age[CACHES_KEPT:] if now_s - d.stat().st_mtime > CACHE_AGE_S_MIN]
    for directory in old:
        shutil.rmtree(directory, ignore_errors=True)
    return old


def cache_key(project_dir: Path) -> str:
    """Return the name of the cache: a hash of kernel sources, versions and processor."""
    digest = hashlib.sha256()
    for part in (
        importlib.metadata.version("numba"),
        importlib.metadata.version("numpy"),
        sys.version,
        platform.machine(),
        _processor(),
    ):
        digest.update(part.encode() + b"\0")
    for path in kernel_sources(project_dir):
        digest.update(str(path.relative_to(project_dir)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:24]


def kernel_sources(project_dir: Path) -> list[Path]:
    """Return, sorted, every module that defines a kernel and every module of the project that those import."""
    waiting = [
        path
        for package in _KERNEL_PACKAGES
        for path in sorted((project_dir / package).rglob("*.py"))
        if _KERNEL_IMPORT.search(path.read_text(encoding="utf-8"))
    ]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_imported(path, project_dir))
    return sorted(found)


def _imported(path: Path, project_dir: Path) -> list[Path]:
    """Return the project's modules that `path` imports."""
    modules: list[str] = []
    for source, names, plain in _IMPORT.findall(path.read_text(encoding="utf-8")):
        modules.append(source or plain)
        modules.extend(f"{source}.{name.split()[0]}" for name in re.findall(r"[\w]+(?:\s+as\s+\w+)?", names) if source)
    files = (project_dir / (module.replace(".", "/") + ".py") for module in modules)
    return [file for file in files if file.is_file()]


def _cache_root() -> Path:
    configured = os.environ.get(ENV_CACHE_DIR)
    if configured:
        return Path(configured) / "numba"
    user_cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user_cache) / "ringmaker" / "numba"


def _processor() -> str:
    """Return what tells one processor model from another, or an empty text where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))
