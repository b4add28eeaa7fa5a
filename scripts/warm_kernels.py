"""Compile kernels and keep their machine code, at set-up.

.venv/bin/python -m scripts.warm_kernels [backtest] [CONFIG.toml]

Those of the live processes always; with `backtest` those of conversion and calibration too, which no session needs;
with a configuration the strategies and signals of the user's own that it names.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from domain import jit
from domain.errors import UserError
from runtime.config import load_config


def main() -> None:
    """Fill the cache of the present sources and versions and drop old ones; prints what it took."""
    os.environ[jit.ENV_JIT] = "1"
    started = time.perf_counter()
    # Imported late: a kernel is compiled only when the switch is on as its module is imported.
    from trading.quoting.warm import warm_kernels, warm_user_files

    warm_kernels()
    try:
        for path in (Path(argument) for argument in sys.argv[1:] if argument.endswith(".toml")):
            warm_user_files(instrument.strategy for instrument in load_config(path).instruments.values())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    if "backtest" in sys.argv[1:]:
        from backtest import warm

        warm.warm_kernels()
    dropped = jit.prune_caches()
    print(f"kernels ready in {time.perf_counter() - started:.1f} s ({len(dropped)} old caches dropped)")


if __name__ == "__main__":
    main()
