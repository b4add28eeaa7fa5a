"""`python -m exchange`: run the local exchange until a signal ends it."""

from __future__ import annotations

import logging
import resource
import sys

import uvloop

from exchange.config import parse_arguments
from exchange.failure import EXIT_USAGE, StartError
from exchange.service import run


def main() -> int:
    config = parse_arguments(sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it makes keys
    logging.basicConfig(level=logging.WARNING, format="exchange: %(message)s", stream=sys.stderr)
    logging.getLogger("exchange").setLevel(logging.INFO)
    try:
        uvloop.run(run(config))
    except StartError as error:
        print(f"exchange: {error}", file=sys.stderr, flush=True)
        return EXIT_USAGE
    return 0


if __name__ == "__main__":
    sys.exit(main())
