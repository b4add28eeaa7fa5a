"""What the recorder asks of its allocators: every second it takes some megabytes in pieces of every size and gives them
back, and what it holds of them is to be what it uses."""

from __future__ import annotations

import ctypes

import pyarrow as pa

_libc = ctypes.CDLL(None)


def use_one_allocator() -> None:
    """Have Arrow take its memory where everybody does: its own allocator keeps 6 to 16 MB for itself."""
    pa.set_memory_pool(pa.system_memory_pool())


def give_back() -> None:
    """Give the system what lies free between pieces in use. Some milliseconds; only glibc knows how."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)
