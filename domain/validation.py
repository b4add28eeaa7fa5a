"""What is wrong with a value, in one line: key, value, what was expected, and the known name that is near, if any."""

from __future__ import annotations

import difflib
import re
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

_KEYS_ARE_IN = "every key stands in docs/configuration.md"


def explain(message: str, tree: dict[str, Any], root: type[msgspec.Struct]) -> str:
    """Return msgspec's `message` about converting `tree` to `root` as `key = value: what was expected`."""
    text, _, location = message.partition(" - at `")
    keys = _path_keys(location, tree)
    where = ".".join(keys)
    unknown = re.match(r"Object contains unknown field `(.*)`", text)
    if unknown:
        return _unknown_key(unknown[1], where, _known_keys(root, keys))
    value = _value_at(tree, keys)
    is_section = not keys or isinstance(value, dict)
    shown = "" if not where else f"[{where}]: " if is_section else f"{where} = {value!r}: "
    if text.startswith("Invalid enum value"):
        return f"{shown}expected one of {', '.join(map(str, _choices(root, keys)))}"
    return shown + text[:1].lower() + text[1:].replace("`", "").replace("null", "absent")


def _path_keys(location: str, tree: dict[str, Any]) -> list[str]:
    """Return the keys of a msgspec path such as `$.strategy.levels` or `$.instruments[...].strategy`.

    msgspec does not say which key of a mapping it means; with one entry there is no doubt.
    """
    keys = [key for key in re.split(r"[\[\]`$]+|(?<!\.)\.(?!\.)", location) if key and key != "."]
    found: Any = tree
    named = []
    for key in keys:
        if key == "...":
            key = next(iter(found)) if isinstance(found, dict) and len(found) == 1 else "..."
        named.append(key)
        found = found.get(key) if isinstance(found, dict) else None
    return named


def _unknown_key(key: str, where: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else _KEYS_ARE_IN
    return f"unknown key `{key}`{f' in [{where}]' if where else ''}; {hint}"


def _struct_at(root: type[msgspec.Struct], keys: list[str]) -> Any:
    """Return the annotation that stands at `keys`: mappings have the type of their values."""
    found: Any = root
    for key in keys:
        if isinstance(found, type) and issubclass(found, msgspec.Struct):
            found = next((field.type for field in msgspec.structs.fields(found) if field.name == key), None)
        elif get_origin(found) is dict:
            found = get_args(found)[1]
    if get_origin(found) is Annotated:
        found = get_args(found)[0]
    return found


def _known_keys(root: type[msgspec.Struct], keys: list[str]) -> list[str]:
    section = _struct_at(root, keys)
    if not (isinstance(section, type) and issubclass(section, msgspec.Struct)):
        return []
    return [field.name for field in msgspec.structs.fields(section)]


def _choices(root: type[msgspec.Struct], keys: list[str]) -> tuple[Any, ...]:
    found = _struct_at(root, keys)
    if get_origin(found) in (Union, types.UnionType):
        found = next((part for part in get_args(found) if get_origin(part) is Literal), found)
    return get_args(found) if get_origin(found) is Literal else ()


def _value_at(tree: dict[str, Any], keys: list[str]) -> Any:
    value: Any = tree
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value
