"""Control, numbers 300 to 399: where everything is, who lives, what is counted."""

from __future__ import annotations

from domain.schema.fields import Field, RecordType, ints

HISTOGRAM_BUCKETS = 640
COUNTERS_MAX = 56

DIRECTORY = RecordType(
    "directory",
    300,
    "One row for each segment of a session: the single thing that a stranger has to find.",
    [
        Field("segment", "text", "short name, e.g. `books`"),
        Field("record", "text", "record type"),
        Field("writer", "text", "actor that writes it"),
        *ints(("kind", "1 ring, 2 table"), ("capacity", "slots or rows"), ("layout_hash", "of the record type")),
    ],
)

HEARTBEAT = RecordType(
    "heartbeat",
    301,
    "Sign of life of one actor, written from its work loop.",
    [
        *ints(
            ("pid", "process id"),
            ("epoch", "1 for the first start, one more for every restart"),
            ("phase", "0 none, 1 starting, 2 live, 3 stopping, 4 starting and compiling kernels"),
            ("beat_time_ns", "monotonic"),
            ("started_time_ns", "monotonic"),
            ("loops", "duty cycles so far"),
            ("core", "core that it is pinned to; -1 = shared"),
        ),
    ],
)

COUNTERS = RecordType(
    "counters",
    302,
    "Event counts of one actor; the names stand in runtime/topology.py.",
    [Field("value", "i8", "counts, only growing", COUNTERS_MAX)],
)

HISTOGRAM = RecordType(
    "histogram",
    303,
    "Latency of one stage: log-linear buckets, 16 to the octave; see shm/histogram.py.",
    [
        Field("stage", "text", "name of the stage"),
        *ints(("count", "samples"), ("sum_ns", "ns"), ("max_ns", "ns")),
        Field("bucket", "i8", "samples for each bucket", HISTOGRAM_BUCKETS),
    ],
)

RECORDER = RecordType(
    "recorder",
    304,
    "What the recorder is at; one row.",
    [
        *ints(
            ("updated_time_ns", "monotonic"),
            ("is_writing", "1 = what comes is written; 0 = the disk does not take it"),
            ("trouble_since_realtime_ns", "wall clock, Unix ns, since when the disk does not; 0 = it does"),
            ("rows", "written to recordings since the start of this process"),
            ("lost", "records of rings overwritten before they were read, since the start of this process"),
            ("behind", "records published and not read yet, over all rings"),
        ),
        Field("trouble", "text", "what the disk says; empty = nothing"),
    ],
)
