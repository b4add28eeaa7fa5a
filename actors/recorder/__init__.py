"""The recorder: what passed through the rings, on disk. It reads, and nobody waits for it."""
