"""Parameters by their dotted names: `levels`, `shaping.displacement_guard`, `signals.is_enabled`, `user.my_own`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_origin, get_type_hints

import msgspec


def parameter_names(kind: type[msgspec.Struct]) -> list[str]:
    """Return the name of every parameter of a section and of the tables inside it."""
    names: list[str] = []
    for name, hint in get_type_hints(kind).items():
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            names.extend(f"{name}.{inner}" for inner in parameter_names(hint))
        else:
            names.append(name)
    return names


def tables(kind: type[msgspec.Struct]) -> list[str]:
    """Return the names of the tables inside a section, those of the user's own names among them."""
    inside = [name.partition(".")[0] for name in parameter_names(kind) if "." in name]
    free = [name for name, hint in get_type_hints(kind).items() if get_origin(hint) is dict]
    return list(dict.fromkeys([*inside, *free]))


def value_of(config: msgspec.Struct, name: str) -> Any:
    """Return the value of a dotted name; None for a name of the user's own that the configuration leaves out.

    Raises:
        AttributeError: for an unknown name.
    """
    value: Any = config
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part)
    return value


def overlaid(tree: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `tree` with the values of `over` in it, table by table."""
    merged = dict(tree)
    for key, value in over.items():
        below = merged.get(key)
        is_table = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = overlaid(below, value) if is_table else value  # type: ignore[arg-type]
    return merged


def nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted name as tables inside tables; later ones win."""
    tree: dict[str, Any] = {}
    for name, value in changes.items():
        tree = overlaid(tree, _inside(name.split("."), value))
    return tree


def _inside(parts: Iterable[str], value: Any) -> dict[str, Any]:
    first, *rest = parts
    return {first: _inside(rest, value) if rest else value}
