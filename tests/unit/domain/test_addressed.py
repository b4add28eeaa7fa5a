"""Loads by address are compiled wherever kernels are, whoever was imported first."""

from __future__ import annotations

import ctypes
import subprocess
import sys

from domain.addressed import word_at

LATE = """
import os
import shm.record, shm.ring  # of an actor's process, before it decides whether kernels are compiled
os.environ["RINGMAKER_JIT"] = "1"
from trading.quoting.sight import word_at
print(type(word_at).__name__)
"""


def test_a_process_that_decides_after_it_imported_shared_memory_compiles_the_loads() -> None:
    told = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True, timeout=120)
    assert told.stdout.strip() == "_Intrinsic"


def test_a_word_is_read_where_it_lies() -> None:
    word = ctypes.c_int64(-7)
    assert word_at(ctypes.addressof(word)) == -7
