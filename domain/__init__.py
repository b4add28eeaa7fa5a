"""The words of the trade: units, instruments, orders, records, clocks, errors. Imports nothing of ours."""
