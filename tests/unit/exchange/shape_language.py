"""What a value must look like, said in checks: a check is a function of one value.

A shape is a dict of field to check; a name that ends in `?` may be left out, nothing else may be there, and
fields come in the order of the dict, which is that of the documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15


def positive(value: Any) -> bool:
    return number(value) and value > 0


def unsigned(value: Any) -> bool:
    return number(value) and value >= 0


def stamp(value: Any) -> bool:
    """Seconds since the epoch, with a fraction: later than 2023, and not in milliseconds."""
    return isinstance(value, float) and 1.6e9 < value < 4e9


def text(value: Any) -> bool:
    return isinstance(value, str)


def identifier(value: Any) -> bool:
    return isinstance(value, str) and value.isalnum()


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def nullable(check: Check) -> Check:
    return lambda value: value is None or check(value)


def one_of(*values: Any) -> Check:
    return lambda value: value in values


def array(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


def row(*checks: Check) -> Check:
    return lambda value: (
        isinstance(value, list) and len(value) == len(checks) and all(c(v) for c, v in zip(checks, value, strict=True))
    )


def mapping(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(check(item) for item in value.values())


def all_of(*checks: Check) -> Check:
    return lambda value: all(check(value) for check in checks)


def shape(fields: dict[str, Check]) -> Check:
    checks = {name.removesuffix("?"): check for name, check in fields.items()}
    required = {name for name in fields if not name.endswith("?")}
    places = {name: place for place, name in enumerate(checks)}

    def fits(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        missing, unknown = required - value.keys(), value.keys() - checks.keys()
        assert not missing, f"missing {missing} in {value}"
        assert not unknown, f"unknown {unknown} in {value}"
        wrong = [name for name, item in value.items() if not checks[name](item)]
        assert not wrong, f"wrong {wrong} in {value}"
        order = [places[name] for name in value]
        assert order == sorted(order), f"out of order: {list(value)}"
        return True

    return fits


SIDE = one_of("buy", "sell")
