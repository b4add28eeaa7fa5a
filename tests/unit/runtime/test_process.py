"""The life of an actor's process."""

from __future__ import annotations

import subprocess
import sys

LOADED = "import sys, runtime.process; print(*sorted(name for name in sys.modules if name.startswith('runtime.')))"


def test_an_actor_loads_nothing_of_its_supervisor() -> None:
    loaded = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout.split()
    assert "runtime.process" in loaded
    assert [name for name in loaded if name.startswith("runtime.supervision")] == []
