"""Positions, profit and loss, limits; the process that may say no."""
