"""`./cli.py explain ORDER`, in a process of its own: why an order was what it was, from the record of a run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from domain import jit

os.environ.setdefault(jit.ENV_JIT, "1")  # before a kernel is imported: the machine code that quoted, quotes again

from actors.explain.decision import Decisions
from actors.explain.story import SENT_WITH_A_WISH, Row, Story, read_story
from actors.explain.telling import as_data, lines_of
from domain.errors import ExitCode, UserError
from runtime.arguments import Arguments
from runtime.last_run import choose_run


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the explanation; return the exit code: 1 when a quote computed again is another one."""
    parser = Arguments(prog="cli.py explain", description="Why an order was what it was.")
    parser.add_argument("order", help="our client_order_id, or the venue's id")
    parser.add_argument(
        "--run", type=Path, default=None, help="folder or name of a run; default: the newest with orders"
    )
    parser.add_argument("--session", "-s", default="", help="instead of a run: the newest of this session")
    parser.add_argument("--all", action="store_true", help="every message's decision, not only the first and the last")
    parser.add_argument("--json", action="store_true", help="print JSON, with every decision")
    options = parser.parse_args(arguments)
    try:
        run = choose_run(options.run, options.session)
        story = read_story(run, options.order)
        explained = _explained(story, is_whole=options.all or options.json)
        decisions = Decisions(run, story.instrument).of_wishes([sent["wish_id"] for sent in explained])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    if options.json:
        print(json.dumps(as_data(story, decisions, explained), indent=1))
    else:
        print(*lines_of(story, decisions, explained), sep="\n")
    is_different = any(decision.again.verdict == "different" for decision in decisions.values())
    return int(ExitCode.CRASH if is_different else ExitCode.CLEAN)


def _explained(story: Story, *, is_whole: bool) -> list[Row]:
    """Return the messages whose decision is told: the first and the last, or all."""
    sent = [one for one in story.sent if one["action"] in SENT_WITH_A_WISH and one["wish_id"]]
    return sent if is_whole or len(sent) < 3 else [sent[0], sent[-1]]


if __name__ == "__main__":
    sys.exit(main())
