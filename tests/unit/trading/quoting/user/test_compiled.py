"""Files of the user's as machine code: faults of compiling in one line, out-of-range indices, a warm second start.

One process compiles all of them: the standard kernels come from the cache that every compiled test shares.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from domain import jit

REPOSITORY = Path(__file__).resolve().parents[5]
HEAD = "from trading.quoting import standard\nfrom trading.quoting.standard import on_book, on_fill, on_trade\n\n\n"

# file: (text of quote, what is expected after its path)
REFUSED = {
    "unknown_field": (
        'def quote(q):\n    q["state"]["no_such"] = 1.0\n',
        ":6: quote does not compile: there is no field 'no_such'",
    ),
    "unknown_name": (
        "def quote(q):\n    nowhere(q)\n",
        ":6: quote does not compile: NameError: name 'nowhere' is not defined",
    ),
    "text_and_number": (
        'def quote(q):\n    x = "a"\n    standard.place(q, x + 1.0, 2.0)\n',
        ":7: quote does not compile: No implementation of function Function(<built-in function add>) found for",
    ),
    "in_a_helper": (
        'def helper(q):\n    return q["nothing"]\n\n\ndef quote(q):\n    helper(q)\n',
        ":6: quote does not compile: Field 'nothing' was not found in record with fields",
    ),
    "not_supported": (
        'def quote(q):\n    with open("x") as file:\n        pass\n',
        ":5: quote does not compile: The 'with (context manager) as (variable):' construct is not supported.",
    ),
    "foreign_module": (
        "import json\n\n\ndef quote(q):\n    json.dumps(1)\n",
        ":9: quote does not compile: Unknown attribute 'dumps' of type Module(",
    ),
}  # fmt: skip
CODE = """
import json, sys, time
from pathlib import Path
from domain.errors import ConfigError
from tests.quoting_case import BARE, Case
from trading.quoting.config import QuotingConfig
from trading.quoting.user.code import load_code
from trading.quoting.warm import warm_kernels

folder = Path(sys.argv[1])
found = {}
for path in sorted(folder.glob("refused_*.py")):
    try:
        load_code(QuotingConfig(file=str(path)))
        found[path.stem] = "compiled"
    except ConfigError as error:
        found[path.stem] = str(error)
config = BARE.with_values({"file": str(folder / "good.py"), "signals": {
    "is_enabled": True, "user": str(folder / "signal.py"), "candles_min": 1, "candle_volume_base": 0.5}})
started = time.perf_counter()
code = load_code(config)
warm_kernels(code, config)
found["seconds"] = time.perf_counter() - started
module = sys.modules[code.entries.__name__.replace("entries", "strategy")]
found["hits"] = sum(module.quote.stats.cache_hits.values()), sum(module.quote.stats.cache_misses.values())
case = Case(config, code=code)
view = case.quote()
found["bids"] = view["bids"]
assert not case.quoter.fault, case.quoter.fault
case.quoter.configure(config.with_values({"user": {"index": 100.0}}), case.units)
found["off"] = case.quote()["bid_off_reason"]
found["fault"] = case.quoter.fault
print(json.dumps(found))
"""
GOOD = (
    HEAD
    + """parameters = {"index": 0.0}
state = {"quotes": 0.0}


def lean(q):
    return 2.0 * q["user"]["quotes"]


def quote(q):
    q["user"]["quotes"] += 1.0
    q["ladder"]["bid_price_ticks"][int(q["user"]["index"])] = 0
    standard.place(q, 99_980.0 - lean(q), 100_020.0)
"""
)
SIGNAL = """from trading.signals.candles import candle_delta


def signal(q):
    return 0.5 * candle_delta(q["signals"], 0)
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object], dict[str, object]]:
    folder = tmp_path_factory.mktemp("user")
    for name, (text, _) in REFUSED.items():
        (folder / f"refused_{name}.py").write_text(HEAD + text)
    (folder / "good.py").write_text(GOOD)
    (folder / "signal.py").write_text(SIGNAL)
    return folder, _run(folder), _run(folder)


def _run(folder: Path) -> dict[str, object]:
    result = subprocess.run(
        [sys.executable, "-c", CODE, str(folder)], capture_output=True, text=True, timeout=110, cwd=REPOSITORY,
        env={**os.environ, jit.ENV_JIT: "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found: dict[str, object] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_compile_is_told_in_one_line_with_its_place(
    results: tuple[Path, dict[str, object], dict[str, object]], name: str
) -> None:
    folder, found, _ = results
    told = str(found[f"refused_{name}"])
    assert told.startswith(f"{folder}/refused_{name}.py{REFUSED[name][1]}"), told
    assert "\n" not in told
    assert len(told) < 600


def test_a_strategy_of_several_functions_compiles_and_quotes(
    results: tuple[Path, dict[str, object], dict[str, object]],
) -> None:
    _, found, _ = results
    assert found["bids"] == [99_978, 99_973, 99_968]


def test_an_index_out_of_range_is_an_exception_not_a_write_somewhere(
    results: tuple[Path, dict[str, object], dict[str, object]],
) -> None:
    folder, found, _ = results
    assert found["fault"] == f"{folder}/good.py: quote: IndexError: index is out of bounds"
    assert found["off"] == 18  # STRATEGY_FAULT


def test_a_second_start_finds_the_machine_code(results: tuple[Path, dict[str, object], dict[str, object]]) -> None:
    _, first, second = results
    assert second["hits"] == [1, 0]
    assert float(str(second["seconds"])) < 20.0  # about half a second; 10 to 20 when it compiles
    assert {name: told for name, told in first.items() if name.startswith("refused")} == {
        name: told for name, told in second.items() if name.startswith("refused")
    }
