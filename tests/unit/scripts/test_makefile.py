"""`make run` compiles kernels before a session starts, whichever of their sources is new."""

from __future__ import annotations

import subprocess

from domain.jit import kernel_sources
from tests.sessions import REPOSITORY


def test_make_watches_every_source_that_names_the_cache_of_kernels() -> None:
    database = subprocess.run(
        ["make", "--print-data-base", "--question", "help"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    watched = next(line for line in database.splitlines() if line.startswith("KERNEL_SOURCES :="))
    missing = {str(path.relative_to(REPOSITORY)) for path in kernel_sources(REPOSITORY)} - set(watched.split())
    assert not missing, f"a change there starts a session with cold kernels: {sorted(missing)}"
