"""python -m backtest.example: what `make backtest` runs: a short recording of the market, or a generated one."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import domain.jit

os.environ.setdefault(domain.jit.ENV_JIT, "1")  # before a kernel is imported

from backtest import command
from backtest.synthetic import Market, write_session
from domain.errors import ExitCode, UserError
from runtime.arguments import Arguments

DATA_FOLDER = Path("..") / "shared" / "data" / "binance"
PARTS = ("usdm_btcusdt_20240718.gz", "usdm_btcusdt_20240719.gz")  # 8 minutes of BTCUSDT
GENERATED_S = 600.0
# The clock of that recording ran behind the exchange's; docs/data.md tells how that is mended.
OPTIONS = ("--step-ms", "100", "--repair", "clock")


def main(arguments: list[str] | None = None) -> int:
    """Run the example; returns the exit code."""
    parser = Arguments(prog="make backtest", description=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("--data", nargs="+", type=Path, help="parts of a recording of your own")
    parser.add_argument("--config", type=Path, default=Path("configs/local.toml"))
    given = parser.parse_args(arguments)
    recorded = given.data or [DATA_FOLDER / part for part in PARTS if (DATA_FOLDER / part).is_file()]
    options = ["--config", str(given.config), *OPTIONS]
    if recorded:
        return command.main([*map(str, recorded), *options])
    print(f"no recording in {DATA_FOLDER}: a generated market of {GENERATED_S:g} s instead")
    try:
        with tempfile.TemporaryDirectory(prefix="ringmaker-example-") as folder:
            generated = Path(folder) / "generated.events"
            write_session(generated, Market(), GENERATED_S)
            return command.main([str(generated), *options])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(ExitCode.USAGE)


if __name__ == "__main__":
    sys.exit(main())
