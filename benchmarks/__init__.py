"""Benchmarks: `python -m benchmarks.NAME [--check]`. Figures on standard output, one JSON object a line."""
