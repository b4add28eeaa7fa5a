"""Public feed → books, tickers, trades in shared memory."""
