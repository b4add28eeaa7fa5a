"""python -m backtest.search: see backtest.search.command; kernels are machine code."""

from __future__ import annotations

import os
import sys

import domain.jit

os.environ.setdefault(domain.jit.ENV_JIT, "1")  # before a kernel is imported

from backtest.search.command import main

if __name__ == "__main__":
    sys.exit(main())
