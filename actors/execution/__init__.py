"""Wishes → orders at the venue, and what became of them."""
