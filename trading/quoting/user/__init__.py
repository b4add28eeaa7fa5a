"""A strategy or a signal of the user's own: one file, read and checked, compiled, and watched while it quotes."""
