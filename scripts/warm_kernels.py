"""Compile kernels and keep their machine code, at set-up: `python -m scripts.warm_kernels [backtest]`.

Those of the live processes always; with `backtest` those of conversion and calibration too, which no session needs.
"""

from __future__ import annotations

import os
import sys
import time

from domain import jit


def main() -> None:
    """Fill the cache of the present sources and versions and drop old ones; prints what it took."""
    os.environ[jit.ENV_JIT] = "1"
    started = time.perf_counter()
    # Imported late: a kernel is compiled only when the switch is on as its module is imported.
    from trading.quoting.warm import warm_kernels

    warm_kernels()
    if "backtest" in sys.argv[1:]:
        from backtest import warm

        warm.warm_kernels()
    dropped = jit.prune_caches()
    print(f"kernels ready in {time.perf_counter() - started:.1f} s ({len(dropped)} old caches dropped)")


if __name__ == "__main__":
    main()
