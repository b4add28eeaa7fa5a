"""Bots: the venue trades in an account's name, by one of six strategies."""
