"""Shared memory beside its peers: `python -m benchmarks.shm [--check] [--rounds N]`. About a minute and a half.

    publish      our ring and iceoryx2's Python binding (`pip install -e ".[bench]"`), 64 bytes
    read         `read()` of a filled ring into NumPy
    one_way      spin and block against multiprocessing.Queue and ZeroMQ ipc: hot, 1 ms and 5 ms between messages
    readers      20,000 records a second to four readers
    killed       readers that die of SIGKILL; writers that die of it inside a record

Subjects take turns, round after round; figures are medians over rounds with their range, ratios are taken within
a round. Torn reads are counted in tests/soak/test_torn_reads.py (`make test-all`).
"""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
from collections import defaultdict
from collections.abc import Sequence

from benchmarks.processes import BenchmarkError
from benchmarks.report import Line, environment, exit_code, figure, show
from benchmarks.shm_load import killed_readers, killed_writers, readers_keep_up
from benchmarks.shm_rates import publish_ns, read_rates
from benchmarks.shm_transports import TRANSPORTS, Series, one_way_us

OF_ICEORYX2_MAX = 1 / 3
READ_PER_S_MIN = 30e6
SPIN_OF_PEER_MAX = 1 / 20
BLOCK_OF_PEER_MAX = 1 / 2
BLOCKED_US_MAX = 1000.0
PEERS = ("queue", "zmq")
KILLED_READERS = 200
SERIES = (Series("hot", 0.0, 3000), Series("1ms", 0.001, 400), Series("5ms", 0.005, 120))


def publish_lines(rounds: int) -> list[Line]:
    """Publishing, in ns and as a share of the peer's."""
    found = publish_ns(rounds)
    lines = [figure(f"publish.{name}", values, "ns") for name, values in found.items()]
    ratios = [ours / theirs for ours, theirs in zip(found["ours"], found.get("iceoryx2", []), strict=False)]
    return [*lines, figure("publish.ours_to_iceoryx2", ratios, "ratio", target_max=OF_ICEORYX2_MAX)]


def read_lines(rounds: int) -> list[Line]:
    """Reading, as time for a record, so that the target is a largest value like all others."""
    rates = read_rates(rounds)
    return [
        figure("read.rate", [rate / 1e6 for rate in rates], "M/s"),
        figure("read.record", [1e9 / rate for rate in rates], "ns", target_max=1e9 / READ_PER_S_MIN),
    ]


def one_way_lines(rounds: int) -> list[Line]:
    """Latencies, and ours as a share of each peer's."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(rounds):
        for kind in TRANSPORTS:
            for series, median_us in one_way_us(kind, SERIES).items():
                found[series][kind.name].append(median_us)
        print(f"one way, round {number + 1}/{rounds}", file=sys.stderr, flush=True)
    lines = []
    for series, by_name in found.items():
        lines += [figure(f"one_way_{series}.{name}", values, "µs") for name, values in by_name.items()]
        for name, target in (("spin", SPIN_OF_PEER_MAX), ("block", BLOCK_OF_PEER_MAX)):
            for peer in PEERS:
                ratios = [ours / theirs for ours, theirs in zip(by_name[name], by_name[peer], strict=True)]
                lines.append(figure(f"one_way_{series}.{name}_to_{peer}", ratios, "ratio", target_max=target))
    return lines


def load_lines(rounds: int) -> list[Line]:
    """What readers and writers do to each other."""
    kept = [readers_keep_up(2.0) for _ in range(rounds)]
    killed = killed_readers(rounds, -(-KILLED_READERS // rounds))
    blocked = killed_writers(5)
    return [
        figure("readers.lost", [one.lost for one in kept], "records", target_max=0),
        figure("readers.unaccounted", [one.unaccounted for one in kept], "records", target_max=0),
        figure("killed_readers.count", [killed.readers], "readers"),
        figure("killed_readers.segments_lost", [killed.segments_lost], "segments", target_max=0),
        figure("killed_readers.publish_slowdown", killed.slowdowns, "ratio", target_max=1 + killed.noise),
        figure("killed_writers.inside_a_record", [blocked.inside], "writers"),
        figure("killed_writers.ring_read", [blocked.ring_us], "µs", target_max=BLOCKED_US_MAX),
        figure("killed_writers.table_read", [blocked.table_us], "µs", target_max=BLOCKED_US_MAX),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.shm", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("expected --rounds >= 1")
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that everything is removed
    try:
        # Those that fork come first: before libraries with threads are in use.
        lines = [*load_lines(options.rounds), *publish_lines(options.rounds), *read_lines(options.rounds)]
        lines += one_way_lines(options.rounds)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    packages = ["numpy", "pyzmq"] + (["iceoryx2"] if importlib.util.find_spec("iceoryx2") else [])
    show(environment(packages), lines)
    return exit_code(lines, is_check=options.check)


if __name__ == "__main__":
    sys.exit(main())
