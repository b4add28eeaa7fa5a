"""What moves the market: simulated makers and takers, or a recording."""
