from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import CredentialsError
from runtime.dotenv import load_dotenv, parse_dotenv


def test_quotes_are_stripped_and_quoted_values_may_span_lines() -> None:
    text = "# comment\nA=plain\nexport B='single'\nC=\"first\nsecond\"\n\nD = spaced  # why\nE=\n"
    assert parse_dotenv(text) == {"A": "plain", "B": "single", "C": "first\nsecond", "D": "spaced", "E": ""}


def test_what_is_set_already_stays(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=file\nB=file\n")
    path.chmod(0o600)
    environ = {"A": "set"}
    load_dotenv(path, environ)
    assert environ == {"A": "set", "B": "file"}


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o644)
    with pytest.raises(CredentialsError, match="chmod 600"):
        load_dotenv(path, {})


def test_who_must_not_be_held_up_is_told_and_given_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o644)
    environ: dict[str, str] = {}
    said: list[str] = []
    load_dotenv(path, environ, warn=said.append)
    assert environ == {"A": "1"}
    assert "chmod 600" in said[0]


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=\xff\n")
    path.chmod(0o600)
    with pytest.raises(CredentialsError, match=r"\.env: cannot be read"):
        load_dotenv(path, {})
    said: list[str] = []
    load_dotenv(path, {}, warn=said.append)
    assert len(said) == 1


def test_no_file_is_no_error(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    load_dotenv(tmp_path / ".env", environ)
    assert environ == {}
