"""A file that only grows counts as far as somebody else says, and not at all when that is not what stands in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.sealed_fills import FillsFile, SealedFills


@pytest.fixture
def sealed(tmp_path: Path) -> SealedFills:
    """Two fills that count, and one after them that does not."""
    file = FillsFile(tmp_path / "books")
    file.sealed = file.append(b"11111111")
    file.sealed = counted = file.append(b"22222222")
    file.append(b"33333333")
    file.sync()
    file.close()
    return counted


def test_what_counts_is_read_and_what_comes_after_it_is_written_over(sealed: SealedFills, tmp_path: Path) -> None:
    file = FillsFile(tmp_path / "books")
    assert file.load(sealed) == b"1111111122222222"
    assert file.append(b"") == sealed
    more = file.append(b"44444444")
    file.close()
    assert FillsFile(tmp_path / "books").load(more) == b"111111112222222244444444"
    assert FillsFile(tmp_path / "books").load(sealed) == b"1111111122222222"


def test_before_the_first_nothing_counts_and_nothing_is_there(tmp_path: Path) -> None:
    file = FillsFile(tmp_path / "books")
    assert file.load(SealedFills()) == b""
    file.sync()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"11111111", b"1111111122222223", None])
def test_what_is_not_as_it_was_sealed_is_put_aside(sealed: SealedFills, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "books.fills"
    path.unlink() if content is None else path.write_bytes(content)
    file = FillsFile(tmp_path / "books")
    assert file.load(sealed) is None
    assert file.sealed == SealedFills()
    assert [found.name for found in tmp_path.iterdir()] == ([] if content is None else ["books.fills.damaged"])
