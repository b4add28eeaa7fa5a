"""Follow the market and our quotes of a running session from outside, read-only.

.venv/bin/python scripts/attach_example.py [SESSION] [SECONDS]
"""

from __future__ import annotations

import signal
import sys
import time

import shm


def main() -> int:
    """Print each book's mid and our best quotes for a while; ends when the session does."""
    name = sys.argv[1] if len(sys.argv) > 1 else "local"
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    try:
        session = shm.attach(name)
    except shm.Error as error:
        print(error, file=sys.stderr)
        return 2
    deadline = time.monotonic() + seconds
    books = 0
    try:
        for book in session.books.follow(timeout_s=seconds):
            books += 1
            mid = (book.bid_price[0] + book.ask_price[0]) / 2
            ours = session.accounts.read(book.instrument)
            if ours is not None:
                print(
                    f"mid {mid:.1f}  position {ours.position_lots} lots  working orders {ours.bid_count} bids, "
                    f"{ours.ask_count} asks"
                )
            if time.monotonic() > deadline:
                break
    except shm.SessionClosedError as ended:
        print(ended)
    print(f"{books} books")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends it without a word
    sys.exit(main())
