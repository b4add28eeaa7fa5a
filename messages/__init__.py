"""Every command between processes, as one msgspec struct each."""
