"""A run in figures: what was earned, where it came from, how it was quoted. Of backtests and of live sessions alike."""
