"""What a process says of itself when it is asked what it holds."""

from __future__ import annotations

import asyncio
import mmap
import os

from runtime.vitals import read_vitals


def test_descriptors_and_memory_are_those_of_this_process() -> None:
    before = read_vitals()
    reader, writer = os.pipe()
    try:
        after = read_vitals()
    finally:
        os.close(reader)
        os.close(writer)
    assert after["descriptors"] == before["descriptors"] + 2
    assert after["private_kb"] > 1000
    assert after["tasks"] == {}


def test_shared_memory_is_nobodys_own() -> None:
    before_kb = read_vitals()["private_kb"]
    with mmap.mmap(-1, 64 * 1024 * 1024, flags=mmap.MAP_SHARED) as shared:
        shared.write(bytes(len(shared)))
        assert read_vitals()["private_kb"] - before_kb < 60 * 1024


def test_tasks_are_counted_by_name() -> None:
    async def main() -> dict[str, int]:
        sleepers = [asyncio.create_task(asyncio.sleep(60), name="sleeper") for _ in range(2)]
        found: dict[str, int] = read_vitals()["tasks"]
        for sleeper in sleepers:
            sleeper.cancel()
        return found

    tasks = asyncio.run(main())
    assert tasks["sleeper"] == 2
    assert sum(tasks.values()) == 3  # the one that asks is a task too
