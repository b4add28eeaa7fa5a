"""The compiled engine: recorded events on one side, our orders on the other, latency between the two."""
