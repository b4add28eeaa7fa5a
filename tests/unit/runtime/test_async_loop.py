"""What ends an actor with a connection: its own work and its tasks, not an answer that came too late."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from runtime.async_loop import AsyncLoop


class Log:
    def __init__(self) -> None:
        self.warnings: list[dict[str, Any]] = []

    def warning(self, _event: str, **values: Any) -> None:
        self.warnings.append(values)


class Host:
    def __init__(self) -> None:
        self.ctx = self
        self.log = Log()


async def looped(host: Host) -> asyncio.Future[None]:
    """Return what ends when the actor does."""
    runner = AsyncLoop(host, None)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    runner._ended = ended = loop.create_future()
    loop.set_exception_handler(runner._on_loop_error)
    return ended


def test_an_answer_that_nobody_waits_for_any_more_is_logged_and_ends_nobody() -> None:
    async def main() -> None:
        host = Host()
        ended = await looped(host)
        answer = asyncio.get_running_loop().create_future()
        # Given an answer and its timeout in one turn of the loop: who waited has gone
        answer.set_exception(ConnectionError("the venue refused"))
        del answer
        gc.collect()
        await asyncio.sleep(0)
        assert not ended.done()
        assert "the venue refused" in host.log.warnings[0]["reason"]

    asyncio.run(main())


def test_a_callback_that_fails_ends_the_actor() -> None:
    async def main() -> None:
        ended = await looped(Host())
        asyncio.get_running_loop().call_soon(lambda: [][1])
        with pytest.raises(IndexError):
            await ended

    asyncio.run(main())


def test_a_task_that_fails_unseen_ends_the_actor() -> None:
    async def main() -> None:
        ended = await looped(Host())

        async def fail() -> None:
            raise ValueError("a bug of ours")

        task = asyncio.get_running_loop().create_task(fail())
        await asyncio.sleep(0)
        del task
        gc.collect()
        with pytest.raises(ValueError, match="a bug of ours"):
            await asyncio.wait_for(ended, 5.0)

    asyncio.run(main())
