"""The net delta of an underlying, kept inside a band: when to hedge, how it is worked, and what moves with what."""
