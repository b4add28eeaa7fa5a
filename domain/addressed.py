"""Words of shared memory as a kernel reads them: by address, each load in its place.

A compiler may reorder, merge and leave out plain loads, and a sequence that is looked at before and after a copy is
just what it would look at once. So kernels read memory that another process writes through `word_at` alone: an atomic
load that acquires, on x86-64 a plain `mov` that nothing is moved across. They never write there.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from domain import jit


def address_of(memory: memoryview) -> int:
    """Return where `memory` lies; it must stay mapped for as long as the address is used."""
    return int(np.frombuffer(memory, np.uint8).__array_interface__["data"][0])


def _interpreted_word_at(address: int) -> int:
    return ctypes.c_int64.from_address(int(address)).value


def _compiled_word_at() -> Any:
    jit.prepare_numba()
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def word_at(_typing: Any, _address: Any) -> Any:
        def codegen(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
            return builder.load_atomic(pointer, ordering="acquire", align=8)

        return types.int64(types.int64), codegen

    return word_at


if TYPE_CHECKING:
    word_at: Callable[[int], int]
    """Return the int64 word at an address that is a multiple of 8."""


def __getattr__(name: str) -> Any:
    """Decide what `word_at` is when it is first asked for, by a kernel's module.

    Shared memory imports this module for `address_of`, in an actor's process before it is decided whether kernels are
    compiled there.
    """
    if name != "word_at":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()["word_at"] = _compiled_word_at() if jit.is_enabled() else _interpreted_word_at
    return found
