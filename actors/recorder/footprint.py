"""What the recorder does to stay small, beside the allocator that it chooses (`__init__.py`)."""

from __future__ import annotations

import ctypes
import sys
from importlib.abc import MetaPathFinder

_libc = ctypes.CDLL(None)
_M_ARENA_MAX = -8  # malloc.h of glibc


def take_from_one_heap() -> None:
    """Have all threads take their memory from the heap that `give_back` can shrink at its end: of the heaps that glibc
    makes for threads it keeps the end. Before a thread has begun; other C libraries have one heap anyhow."""
    mallopt = getattr(_libc, "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Give the system what lies free between pieces in use. Some milliseconds; only glibc knows how."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("the recorder does without pandas", name=fullname)


def do_without_pandas() -> None:
    """Have pyarrow believe that pandas is not installed: it would load it with the first array, for nothing of ours."""
    sys.meta_path.insert(0, _NoPandas())
