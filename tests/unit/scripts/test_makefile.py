"""`make run` compiles kernels before a session starts, whichever of their sources is new."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("target", [".venv/bin/python", ".venv-bench/.ready"])
def test_an_environment_that_could_not_be_made_is_made_anew_once_it_can(target: str, tmp_path: Path) -> None:
    # Given a Debian without python3-venv: the interpreter is linked before ensurepip is missed
    (tmp_path / "Makefile").write_bytes((REPOSITORY / "Makefile").read_bytes())
    (tmp_path / "pyproject.toml").touch()
    python = tmp_path / "python3"
    python.write_text(
        '#!/bin/sh\n[ "$1" = -c ] && exit 0\nmkdir -p $3/bin\nprintf "#!/bin/sh\\n" > $3/bin/python\n'
        "chmod +x $3/bin/python\n[ -f venv-is-installed ]\n"
    )
    python.chmod(0o755)

    def make() -> int:
        command = ["make", target, f"PYTHON={python}"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode

    assert make() != 0
    assert make() != 0, "it is not taken for made"
    assert not (tmp_path / target.partition("/")[0]).exists()
    # If it is installed, I expect the next call to succeed
    (tmp_path / "venv-is-installed").touch()
    assert make() == 0
    assert (tmp_path / target).exists()
