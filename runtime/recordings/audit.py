"""The audit trail runs/<id>/audit.sqlite: its tables, and how to open it. docs/recordings.md explains each column.

Times are Unix ns of the wall clock, `*_monotonic_ns` apart. Prices and sizes of fills are the venue's decimals as text.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from domain.errors import UserError
from runtime.paths import SUMMARY_FILE

FILE_NAME = "audit.sqlite"
SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS sources (
    name TEXT PRIMARY KEY, epoch INTEGER NOT NULL, position INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS instruments (
    instrument TEXT PRIMARY KEY, tick_size REAL NOT NULL, lot_size REAL NOT NULL, contract_multiplier REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS order_events (
    position INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, kind TEXT NOT NULL, instrument TEXT NOT NULL,
    client_order_id INTEGER NOT NULL, venue_order_id TEXT NOT NULL, side TEXT NOT NULL,
    price_ticks INTEGER NOT NULL, size_lots INTEGER NOT NULL, remaining_lots INTEGER NOT NULL,
    position_lots INTEGER NOT NULL, wish_id INTEGER NOT NULL, reason TEXT NOT NULL, venue_code INTEGER NOT NULL,
    exchange_time_ns INTEGER NOT NULL, local_monotonic_ns INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS order_events_by_client_order_id ON order_events (client_order_id);
CREATE INDEX IF NOT EXISTS order_events_by_venue_order_id ON order_events (venue_order_id);
CREATE INDEX IF NOT EXISTS order_events_by_time ON order_events (time_ns);

CREATE TABLE IF NOT EXISTS orders_sent (
    place INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, monotonic_ns INTEGER NOT NULL, action TEXT NOT NULL,
    client_order_id INTEGER NOT NULL, venue_order_id TEXT NOT NULL, instrument TEXT NOT NULL, side TEXT,
    price TEXT, size TEXT, wish_id INTEGER
);
CREATE INDEX IF NOT EXISTS orders_sent_by_client_order_id ON orders_sent (client_order_id);

CREATE TABLE IF NOT EXISTS fills (
    trade_id TEXT NOT NULL, venue_order_id TEXT NOT NULL, leg_index INTEGER NOT NULL,
    time_ns INTEGER NOT NULL, instrument TEXT NOT NULL, side TEXT NOT NULL, price TEXT NOT NULL, size TEXT NOT NULL,
    client_order_id INTEGER, liquidity TEXT, wish_id INTEGER, position_lots INTEGER, exchange_time_ns INTEGER,
    fee TEXT, realised_pnl TEXT,
    PRIMARY KEY (trade_id, venue_order_id, leg_index)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS fills_by_venue_order_id ON fills (venue_order_id);
CREATE INDEX IF NOT EXISTS fills_by_client_order_id ON fills (client_order_id);
CREATE INDEX IF NOT EXISTS fills_by_time ON fills (time_ns);

CREATE TABLE IF NOT EXISTS pnl (
    time_ns INTEGER PRIMARY KEY, equity_usd REAL, equity_peak_usd REAL, realised_usd REAL, unrealised_usd REAL,
    fees_usd REAL, funding_usd REAL, gross_notional_usd REAL, net_notional_usd REAL,
    state TEXT NOT NULL, reason TEXT NOT NULL, positions_lots TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS commands (
    process TEXT NOT NULL, place INTEGER NOT NULL, received_ns INTEGER, answered_ns INTEGER, sender TEXT,
    command TEXT NOT NULL, content TEXT NOT NULL, ok INTEGER, answer TEXT, data TEXT,
    PRIMARY KEY (process, place)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS commands_by_time ON commands (received_ns);

CREATE TABLE IF NOT EXISTS risk_decisions (
    place INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, decision TEXT NOT NULL, scope TEXT, state TEXT, reason TEXT,
    text TEXT NOT NULL, numbers TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS risk_decisions_by_time ON risk_decisions (decision, time_ns);
CREATE VIEW IF NOT EXISTS state_changes AS
    SELECT time_ns, scope, state, reason, text, numbers FROM risk_decisions WHERE decision = 'state';

CREATE TABLE IF NOT EXISTS parameter_changes (
    process TEXT NOT NULL, place INTEGER NOT NULL, scope TEXT NOT NULL, time_ns INTEGER, name TEXT NOT NULL,
    old_value TEXT, new_value TEXT,
    PRIMARY KEY (process, place, scope)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS gaps (
    ring TEXT NOT NULL, first_position INTEGER NOT NULL, records INTEGER NOT NULL, time_ns INTEGER NOT NULL,
    PRIMARY KEY (ring, first_position)
) WITHOUT ROWID;
"""


def open_audit(run: Path) -> sqlite3.Connection:
    """Open the audit trail of a run for reading; it may be written meanwhile.

    Raises:
        UserError: when there is none, or it is of another version.
    """
    path = run / FILE_NAME
    if not path.exists():
        raise UserError(_why_none(run))
    connection = sqlite3.connect(f"file:{path.resolve()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        raise UserError(f"{path}: layout version {version}, this program reads {SCHEMA_VERSION}")
    return connection


def _why_none(run: Path) -> str:
    """Return what a folder without an audit trail is, and what works on it."""
    if _is_backtest(run):
        return (
            f"{run}: this is a backtest; only sessions have the audit trail that export, explain and score read. "
            f"`./cli.py report {run}` shows it; fills.parquet, orders.parquet and series.parquet in it are its tables"
        )
    if (run / "search.sqlite").exists():
        return f"{run}: this is a search of `./cli.py optimize`, not a session; search.html in it shows it"
    return f"{run / FILE_NAME}: no audit trail in this run; was [recorder] enabled = true?"


def _is_backtest(run: Path) -> bool:
    try:
        return bool(json.loads((run / SUMMARY_FILE).read_bytes()).get("kind") == "backtest")
    except (OSError, ValueError, AttributeError):
        return False
