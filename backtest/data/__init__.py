"""Recorded market data of any supported format → one array of events in one file; see docs/data.md."""
