from __future__ import annotations

import subprocess
import sys

LOOK = """
import sys
import actors.strategy.__main__
loaded = [name for name, module in sys.modules.items() if name.startswith("trading.") and hasattr(module, "kernel")]
assert not loaded and "numba" not in sys.modules, loaded
"""


def test_no_kernel_is_imported_before_the_process_has_decided_to_compile_them() -> None:
    """A kernel that was imported earlier is interpreted, and those that are compiled cannot call it."""
    result = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
