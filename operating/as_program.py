"""python -m operating.as_program MODULE [ARGUMENT...]: a module as a program that Ctrl-C ends with one line.

A kernel that is being compiled when the signal comes leaves a hundred lines of the compiler's otherwise. Imports
nothing of ours: the module sets what its kernels go by before they are imported.
"""

from __future__ import annotations

import atexit
import os
import runpy
import sys
from contextlib import suppress

INTERRUPTED = 128 + 2  # as a shell gives it: ended by SIGINT


def main(module: str, arguments: list[str]) -> None:
    """Run a module as `python -m` does; it ends by itself, or interrupted."""
    sys.argv = [module, *arguments]
    is_interrupted = False

    def leave() -> None:
        if is_interrupted:
            with suppress(OSError):
                sys.stdout.flush()
            os._exit(INTERRUPTED)

    atexit.register(leave)  # first in, last called: a compiler that was interrupted may crash when it is taken down
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        is_interrupted = True
        print("interrupted", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
