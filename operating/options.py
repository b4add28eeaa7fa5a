"""Options that several verbs share, in the same words."""

from __future__ import annotations

from typing import Annotated

import typer

Session = Annotated[str, typer.Option("--session", "-s", help="name of the session (its config's file name)")]
NewestOf = Annotated[str, typer.Option("--session", "-s", help="instead of a run: the newest of this session")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
