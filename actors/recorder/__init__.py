"""The recorder: what passed through the rings, on disk. It reads, and nobody waits for it."""

import os

# Before Arrow is loaded: it then takes its memory where everybody does. Its own allocator keeps for itself what it was
# given back, 6 to 16 MB of it, more after every burst.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
