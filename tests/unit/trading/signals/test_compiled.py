"""The same trades give the same words, bit for bit, whether the kernels are machine code or plain Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from domain import jit

REPOSITORY = Path(__file__).resolve().parents[4]
CODE = """
import hashlib, random, numpy as np
from tests.signals_case import Signals
from trading.signals import kernels
from domain import jit
random.seed(7)
signals = Signals(candle_volume_base=0.05, bar_s=0.5, adx_bars=5, flow_window_s=4.0, candle_age_s_max=3.0)
price = 100_000.0
digest = hashlib.sha256()
for i in range(6000):
    price += random.choice((-2.5, -0.5, 0.5, 2.5))
    if random.random() < 0.4:
        signals.trade(price, random.choice((0.001, 0.01, 0.2)), random.choice((-1, 1)), random.randrange(400_000_000))
    else:
        signals.book(price, random.randrange(12_000_000_000) if i % 500 == 0 else random.randrange(400_000_000))
    digest.update(signals.record.tobytes())
assert signals["candles"] > 200 and signals["momentum"] != 0.0 and signals["adx"] > 0.0
print(jit.is_compiled(kernels.signals_on_trade), digest.hexdigest())
"""


def run(is_compiled: bool) -> tuple[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != jit.ENV_JIT}
    if is_compiled:
        environment[jit.ENV_JIT] = "1"
    result = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=100, cwd=REPOSITORY, env=environment
    )
    assert result.returncode == 0, result.stderr
    kind, digest = result.stdout.split()
    return kind, digest


def test_compiled_and_interpreted_kernels_agree_to_the_last_bit() -> None:
    compiled, interpreted = run(is_compiled=True), run(is_compiled=False)
    assert (compiled[0], interpreted[0]) == ("True", "False")
    assert compiled[1] == interpreted[1]
