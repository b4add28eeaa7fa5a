from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from domain import jit

REPOSITORY = Path(__file__).resolve().parents[3]


def project(tmp_path: Path) -> Path:
    """A small project: a kernel, a callee, a constant, and a bystander."""
    for package in ("domain", "trading"):
        (tmp_path / package).mkdir()
    (tmp_path / "domain" / "jit.py").write_text("")
    (tmp_path / "domain" / "numbers.py").write_text("TWO = 2\n")
    (tmp_path / "trading" / "callee.py").write_text(
        "from domain.jit import kernel\nfrom domain.numbers import TWO\n@kernel\ndef f(): return TWO\n"
    )
    (tmp_path / "trading" / "plain.py").write_text("import json\n")
    return tmp_path


def run_python(code: str, **environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name != jit.ENV_JIT}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, cwd=REPOSITORY,
        env={**inherited, **environment},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_a_process_that_does_not_ask_keeps_plain_functions_and_no_numba() -> None:
    code = "import sys, trading.quoting.kernels as k; print(type(k.quote).__name__, 'numba' in sys.modules)"
    assert run_python(code) == "function False"


def test_a_process_that_asks_compiles_into_its_own_cache(tmp_path: Path) -> None:
    code = (
        "from domain.jit import kernel\nimport os, trading.quoting.models.numbers as m\n"
        "print(type(m.is_positive).__name__, m.is_positive(1.0), m.is_positive(float('nan')))\n"
        "print(os.environ['NUMBA_CACHE_DIR'])"
    )
    names, cache = run_python(code, **{jit.ENV_JIT: "1", jit.ENV_CACHE_DIR: str(tmp_path)}).splitlines()
    assert names == "CPUDispatcher True False"
    assert Path(cache).parent == tmp_path / "numba"
    assert list(Path(cache).rglob("numbers.is_positive*.nbc"))


def test_a_second_process_compiles_nothing() -> None:
    # Given a cache that one process has filled (most times an earlier run has)
    run_python("from trading.quoting.warm import warm_kernels; warm_kernels()", **{jit.ENV_JIT: "1"})
    # If another calls every entry, I expect each to come from the cache
    code = (
        "import json\nfrom trading.quoting import entries\nfrom trading.quoting.warm import warm_kernels\n"
        "warm_kernels()\n"
        "found = {n: f.stats for n, f in vars(entries).items() if hasattr(f, 'stats') and f.signatures}\n"
        "print(json.dumps({n: [sum(s.cache_hits.values()), sum(s.cache_misses.values())] for n, s in found.items()}))"
    )
    found = json.loads(run_python(code, **{jit.ENV_JIT: "1"}))
    entries = {"take_book", "take_trades", "take_fill", "take_outage", "decide", "solve", "hash_state"}
    assert {name: found.get(name) for name in entries} == {name: [1, 0] for name in entries}


def test_the_cache_key_follows_kernels_callees_and_constants(tmp_path: Path) -> None:
    # Given a project with a kernel that uses a constant of another module
    root = project(tmp_path)
    keys = [jit.cache_key(root)]
    # If any of its sources changes, I expect another key
    for name in ("trading/callee.py", "domain/numbers.py"):
        path = root / name
        path.write_text(path.read_text() + "# changed\n")
        keys.append(jit.cache_key(root))
    assert len(set(keys)) == 3
    # If a bystander changes, I expect the same
    (root / "trading" / "plain.py").write_text("import os\n")
    assert jit.cache_key(root) == keys[-1]


def test_kernel_sources_name_what_kernels_import(tmp_path: Path) -> None:
    names = {str(path.relative_to(tmp_path)) for path in jit.kernel_sources(project(tmp_path))}
    assert names == {"trading/callee.py", "domain/numbers.py", "domain/jit.py"}
    ours = {str(path.relative_to(REPOSITORY)) for path in jit.kernel_sources(REPOSITORY)}
    assert {"trading/quoting/kernels.py", "trading/quoting/records.py", "domain/records.py", "domain/codes.py"} <= ours


def test_old_caches_are_dropped_and_young_ones_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(jit.ENV_CACHE_DIR, str(tmp_path))
    now_s = time.time()
    for name, age_days in (("a", 0.1), ("b", 0.2), ("c", 0.3), ("d", 0.5), ("e", 2.0), ("f", 30.0)):
        cache = tmp_path / "numba" / name
        cache.mkdir(parents=True)
        os.utime(cache, (now_s - age_days * 86400,) * 2)
    dropped = jit.prune_caches(now_s)
    assert [path.name for path in dropped] == ["e", "f"]
    assert sorted(path.name for path in (tmp_path / "numba").iterdir()) == ["a", "b", "c", "d"]


def test_importing_the_strategy_actor_leaves_its_kernels_to_be_compiled() -> None:
    # Given the actor's module, imported before the process has decided to compile, as run_actor does
    code = (
        "import os, actors.strategy.actor\nos.environ['RINGMAKER_JIT'] = '1'\n"
        "from trading.quoting import entries\nfrom domain import jit\nprint(jit.is_compiled(entries.decide))"
    )
    assert run_python(code) == "True"


def test_a_kernel_that_came_too_early_to_be_compiled_is_told() -> None:
    # If one kernel is left plain and another one is to call it as machine code, I expect no silent mixture
    code = (
        "import os, trading.signals.candles\nos.environ['RINGMAKER_JIT'] = '1'\n"
        "try:\n    import trading.signals.kernels\nexcept AssertionError as error:\n    print(error)"
    )
    assert run_python(code) == "imported before RINGMAKER_JIT=1 was set, so not compiled: trading.signals.candles"


def test_kernels_are_warm_once_marked_where_this_process_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert jit.is_cold()
    jit.mark_warm()
    assert not jit.is_cold()
    # If the folder is gone, or the disk refuses it, nobody dies of that
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "gone"))
    jit.mark_warm()
    assert jit.is_cold()
