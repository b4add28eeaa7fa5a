"""Something that happened to an actor, in words."""

from __future__ import annotations

from typing import NamedTuple


class Note(NamedTuple):
    """Something that happened to a child. `is_trouble` = the operator should see it."""

    text: str
    is_trouble: bool = True
