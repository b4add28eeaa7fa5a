"""Verbs that are programs of their own: how they are started, and what they are told."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from operating.places import REPOSITORY
from runtime.environment import scrubbed

AS_PROGRAM = "operating.as_program"


def go_on_as(module: str, arguments: list[str]) -> NoReturn:
    """Go on as a module: kernels are compiled only where the switch is set before the imports.

    In the same process, so that a signal for this one, SIGKILL too, is for it.
    """
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", AS_PROGRAM, module, *arguments], environment())


def environment() -> dict[str, str]:
    """Return what programs that compute on recordings are told: no key, for they run users' code, here or elsewhere."""
    return {**scrubbed(os.environ), "PYTHONPATH": str(REPOSITORY)}
