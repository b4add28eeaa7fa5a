"""Newest tick → wish, and the explanation of each quote."""
