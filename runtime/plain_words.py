"""What the decoder expected of a value, in words of a trader: a whole number <= 10, not int <= 10."""

from __future__ import annotations

import re

_KINDS = {
    "float": "a number, with a point",
    "int": "a whole number",
    "bool": "true or false",
    "str": "a text",
    "array": "a list",
    "object": "a table of keys",
    "null": "nothing",
    "absent": "nothing",
}
_KIND = f"(?:{'|'.join(_KINDS)})"
_EXPECTED = re.compile(
    rf"\b[Ee]xpected `?({_KIND}(?: \| {_KIND})*)`?((?: of length)? [<>]=? \S+)?(?:, got `?\w+`?)?(?![\w`])"
)


def in_plain_words(text: str) -> str:
    """Return a message with the kinds that it expected in plain words, without what the value was taken for."""
    return _EXPECTED.sub(_expected, text)


def _expected(found: re.Match[str]) -> str:
    kinds = " or ".join(_KINDS[kind] for kind in found[1].split(" | "))
    if not found[2]:
        return f"expected {kinds}"
    return f"expected {kinds.replace(', with a point', '')}{found[2]}"
