"""The venue-neutral core: books, matching, accounts, marks, time. Integer ticks and lots; no JSON."""
