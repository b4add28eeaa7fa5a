"""The supervisor's last resort."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import pytest

from runtime.config import Config
from runtime.supervision.shutdown import run_kill


def test_the_one_shot_kill_is_out_of_reach_of_the_terminals_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\nps -o sid= -p $$\n")
    stand_in.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    config = msgspec.convert({"instruments": {}, "session": "test", "path": "test.toml"}, Config)
    result = run_kill(config, {}, 5.0)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) != os.getsid(0)
