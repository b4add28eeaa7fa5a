"""Every benchmark, one after the other: `python -m benchmarks [--short] [--out runs/bench.jsonl] [NAME ...]`.

What each prints goes to standard output and, as JSON lines with the load average before each, into the file from which
`python -m scripts.performance_page` makes docs/performance.md. About thirteen minutes; --short: three, for a look.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.report import Environment, Line, show

REPOSITORY = Path(__file__).resolve().parent.parent
DEFAULT_OUT = Path("runs") / "bench.jsonl"

# By name: the options of a whole run, and of a short one.
PLANS: dict[str, tuple[str, str]] = {
    "shm": ("", ""),
    "quote": ("", "--rounds 1"),
    "stages": ("", "--rounds 1 --ticks 500"),
    "tick_to_order": ("--rounds 5", "--rounds 2 --ticks 300"),
    "poisson": ("--rounds 2 --seconds 10", "--rounds 1 --seconds 2"),
    "burst": ("", "--seconds 1"),
    "load": ("", "--rates 0,1000 --seconds 2"),
    "restart": ("--rounds 2", "--rounds 1"),
    "backtest": ("", ""),
    "scaling": ("--seconds 4", "--instruments 1,5 --readers 1 --seconds 1"),
}


def run(name: str, options: str, out: Path) -> bool:
    """Run one benchmark and keep its lines; return whether it ran to its end."""
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"\nbenchmarks.{name} {options}".rstrip(), file=sys.stderr, flush=True)
    command = [sys.executable, "-m", f"benchmarks.{name}", *options.split()]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        print(f"benchmarks.{name} ended with {done.returncode}", file=sys.stderr)
        return False
    with out.open("ab") as file:
        file.write(msgspec.json.encode({"benchmark": name, "load": load}) + b"\n" + done.stdout)
    place, *lines = done.stdout.splitlines()
    show(msgspec.json.decode(place, type=Environment), [msgspec.json.decode(line, type=Line) for line in lines])
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return 1 when one could not be run."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PLANS))
    parser.add_argument("--short", action="store_true", help="less of everything")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in PLANS]:
        parser.error(f"no such benchmark: {', '.join(unknown)} (there are {', '.join(PLANS)})")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.unlink(missing_ok=True)
    results = [run(name, PLANS[name][options.short], options.out) for name in options.names or PLANS]
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main())
