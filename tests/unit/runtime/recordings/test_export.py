"""The audit trail as CSV."""

from __future__ import annotations

import csv
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import UserError
from runtime.recordings.audit import FILE_NAME, SCHEMA, SCHEMA_VERSION
from runtime.recordings.export import KINDS, export_run
from tests.sessions import REPOSITORY

NOW_NS = 1_795_275_404_111_539_936
BTC = "BTC-PERPETUAL"


class Trail:
    """An audit trail, as the recorder writes it."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._audit = sqlite3.connect(run / FILE_NAME)
        self._audit.executescript(SCHEMA)
        self._audit.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._audit.execute("INSERT INTO instruments VALUES (?, 0.5, 0.001, 1.0)", (BTC,))
        self._place = 0

    def sent(self, action: str, order: int, price: str | None = "100000.5", size: str | None = "0.010") -> None:
        self._place += 1
        row = (self._place, NOW_NS + self._place, self._place, action, order, "", BTC, "buy", price, size, 7)
        self._write("orders_sent", row)

    def said(
        self, kind: str, order: int, price_ticks: int = 200_001, lots: int = 10, left: int = 10, **told: Any
    ) -> None:
        self._place += 1
        row = (
            self._place, NOW_NS + self._place, kind, BTC, order, f"v{order}", "buy", price_ticks, lots, left, 0, 7,
            told.get("reason", ""), told.get("venue_code", 0), 0, self._place,
        )  # fmt: skip
        self._write("order_events", row)

    def filled(self, trade: str, order: int | None, fee: str | None, position_lots: int | None) -> None:
        self._place += 1
        row = (
            trade, "v1", 0, NOW_NS + self._place, BTC, "buy", "100000.5", "0.003", order, "maker", 7, position_lots,
            NOW_NS, fee, "0",
        )  # fmt: skip
        self._write("fills", row)

    def account(self, equity_usd: float, positions: str) -> None:
        self._place += 1
        self._write("pnl", (NOW_NS + self._place, equity_usd, *[0.0] * 7, "active", "none", positions))

    def exported(self, kind: str) -> list[dict[str, str]]:
        self._audit.commit()
        export_run(self.run, self.run / "csv")
        with (self.run / "csv" / f"{kind}.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def close(self) -> None:
        self._audit.close()

    def _write(self, table: str, row: tuple[Any, ...]) -> None:
        self._audit.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Trail]:
    found = Trail(tmp_path)
    yield found
    found.close()


def test_a_fill_is_told_to_the_last_digit(trail: Trail) -> None:
    trail.filled("t1", 1, "0.000000000000000001", -3)
    (fill,) = trail.exported("fills")
    assert fill["time"] == "2026-11-21T15:36:44.111539937Z"
    assert (fill["price"], fill["size"], fill["fee"]) == ("100000.5", "0.003", "0.000000000000000001")
    assert (fill["position"], fill["order"], fill["trade_id"]) == ("-0.003", "1", "t1")


def test_what_is_not_known_is_empty(trail: Trail) -> None:
    trail.filled("t1", None, None, None)
    (fill,) = trail.exported("fills")
    assert (fill["fee"], fill["position"], fill["order"]) == ("", "", "")


def test_an_order_is_one_row_from_its_insert_to_its_last_fill(trail: Trail) -> None:
    # Given an order that was amended, and filled in two parts
    trail.sent("insert", 1)
    trail.said("accepted", 1)
    trail.sent("amend", 1, "100001.0")
    trail.said("amended", 1, price_ticks=200_002)
    trail.said("filled", 1, price_ticks=200_002, lots=4, left=6)
    trail.said("filled", 1, price_ticks=200_002, lots=6, left=0)
    # If the run is exported
    (order,) = trail.exported("orders")
    # I expect where it began, what became of it, and when it ended
    assert (order["price"], order["last_price"], order["size"]) == ("100000.5", "100001.0", "0.010")
    assert (order["state"], order["filled"], order["amends"]) == ("filled", "0.010", "1")
    assert order["ended_time"].endswith("942Z")
    assert (order["order"], order["venue_order_id"], order["sent_as"]) == ("1", "v1", "insert")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], ("sent", "", "")),
        ([("accepted", {})], ("working", "", "")),
        ([("rejected", {"venue_code": 27})], ("rejected", "", "27")),
        ([("accepted", {}), ("rejected", {"venue_code": 27})], ("working", "", "")),  # its amend was
        ([("accepted", {}), ("cancelled", {"reason": "client_cancel"})], ("cancelled", "client_cancel", "")),
    ],
)
def test_an_order_says_what_state_it_is_in_and_why(
    trail: Trail, events: list[tuple[str, dict[str, Any]]], expected: tuple[str, str, str]
) -> None:
    trail.sent("insert", 1)
    for kind, told in events:
        trail.said(kind, 1, **told)
    trail.sent("cancel", 1, None, None)
    (order,) = trail.exported("orders")
    assert (order["state"], order["reason"], order["venue_code"]) == expected


def test_an_order_that_filled_while_it_was_cancelled_stays_cancelled(trail: Trail) -> None:
    trail.sent("insert", 1)
    trail.said("cancelled", 1, left=0)
    trail.said("filled", 1, lots=2, left=0)
    (order,) = trail.exported("orders")
    assert (order["state"], order["filled"]) == ("cancelled", "0.002")


def test_an_order_that_our_gate_denied_was_never_sent(trail: Trail) -> None:
    trail.said("denied", 3)
    (order,) = trail.exported("orders")
    assert (order["state"], order["sent_as"], order["price"], order["size"]) == ("denied", "", "100000.5", "0.010")


def test_the_account_has_a_column_for_each_position(trail: Trail) -> None:
    trail.account(1.5, f'{{"{BTC}": -47}}')
    trail.account(1.25, "{}")
    first, second = trail.exported("pnl")
    assert (first["equity_usd"], first[f"position {BTC}"]) == ("1.5", "-0.047")
    assert (second["equity_usd"], second[f"position {BTC}"]) == ("1.25", "")


def test_a_run_in_which_nothing_happened_leaves_files_with_their_columns(trail: Trail) -> None:
    assert trail.exported("fills") == []
    for kind in KINDS:
        assert (trail.run / "csv" / f"{kind}.csv").read_text().startswith("time,time_ns,")


def test_a_run_without_an_audit_trail_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no audit trail in this run"):
        export_run(tmp_path, tmp_path / "csv")
    assert not (tmp_path / "csv").exists()


def test_the_folder_of_a_backtest_or_a_search_is_said_to_be_one_with_what_works_on_it(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"kind": "backtest"}')
    with pytest.raises(UserError, match=r"this is a backtest; .*`\./cli\.py report .*` shows it; fills\.parquet"):
        export_run(tmp_path, tmp_path / "csv")
    (tmp_path / "summary.json").write_text("[]")
    (tmp_path / "search.sqlite").touch()
    with pytest.raises(UserError, match=r"a search of `\./cli\.py optimize`, not a session; search\.html"):
        export_run(tmp_path, tmp_path / "csv")


def test_what_is_exported_is_for_its_user_alone_whatever_the_umask(trail: Trail, tmp_path: Path) -> None:
    # Given a run, a file of an earlier export that others may read, and a shell that hides nothing
    trail.filled("t1", 1, "0", 0)
    trail.close()
    folder = tmp_path / "csv"
    old = tmp_path / "old" / "fills.csv"
    old.parent.mkdir()
    old.touch(0o644)
    # If an operator exports to a new folder, and to that one
    for to in (folder, old.parent):
        command = [sys.executable, str(REPOSITORY / "cli.py"), "export", str(tmp_path), "--to", str(to)]
        subprocess.run(command, check=True, capture_output=True, umask=0, timeout=60)
    # I expect no permission for anybody else
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in (folder, *folder.iterdir(), old)}
    assert modes == {"csv": "0o700", **{f"{kind}.csv": "0o600" for kind in KINDS}}
