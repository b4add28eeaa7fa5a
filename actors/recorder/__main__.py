"""`python -m actors.recorder`: the actor's process, started by the supervisor."""

from __future__ import annotations

from actors.recorder.actor import RecorderActor
from actors.recorder.footprint import do_without_pandas, take_from_one_heap
from runtime.process import run_actor

if __name__ == "__main__":
    take_from_one_heap()
    do_without_pandas()
    run_actor("recorder", RecorderActor, loop="blocking")
