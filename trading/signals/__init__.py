"""Volume candles of public trades and what they foretell; off unless configured."""
