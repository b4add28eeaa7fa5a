"""Write docs/configuration.md from the configuration's own types.

.venv/bin/python -m scripts.config_reference > docs/configuration.md
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from runtime.config import Config, InstrumentConfig, StrategyProcessConfig
from runtime.reload import hot_keys
from trading.hedging.config import HedgeConfig
from trading.orders.config import ExecutionConfig
from trading.quoting.config import QuotingConfig
from trading.quoting.dotted import value_of
from trading.quoting.presets import PRESETS
from trading.risk.config import RiskConfig

HEAD = """# Configuration

One TOML file describes a session; its name is the session's name. Unknown keys, wrong types and values out of range
are refused with file, key and value. Units stand last in the names: `base` = base units (BTC), `usd` = quote
currency, `bps` = 1/10,000. A running session takes over edits of the keys marked ↻ with `./cli.py set --reload` or
SIGHUP ([how](operating.md#edit-the-configuration-of-a-running-session)); all others wait for the next start. This page
is generated: `.venv/bin/python -m scripts.config_reference > docs/configuration.md`.
"""

# Where the keys of a section stand that is hot: the section's own type, and the key's name from there on.
ROOTS: dict[str, type[msgspec.Struct]] = {"strategy": QuotingConfig, "risk": RiskConfig, "execution": ExecutionConfig}

# Sections of which there may be several, each under a name of its own.
NAMED: dict[str, tuple[str, type[msgspec.Struct]]] = {
    "instruments": ('[instruments."NAME"]', InstrumentConfig),
    "strategies": ("[strategies.NAME]", StrategyProcessConfig),
    "hedge": ("[hedge.UNDERLYING]", HedgeConfig),
}
OVERRIDES = {
    InstrumentConfig: "overrides single keys of `[strategy]` for this instrument",
    StrategyProcessConfig: "overrides single keys of `[strategy]` for its instruments",
}


def reference() -> str:
    """Return the whole page."""
    sections = [HEAD]
    hints = get_type_hints(Config, include_extras=True)
    for field in msgspec.structs.fields(Config):
        kind = hints[field.name]
        if _is_section(kind):
            sections.extend(_sections(field.name, kind))
        elif field.name in NAMED:
            sections.append(_section(*NAMED[field.name]))
    return "\n".join((*sections, _presets()))


def _presets() -> str:
    """Return the table of presets: what each sets, beside the default."""
    named = [name for name, values in PRESETS.items() if values]
    keys = list(dict.fromkeys(key for name in named for key in PRESETS[name]))
    default = QuotingConfig()
    rows = [
        "## Presets",
        "",
        "What `preset` under `[strategy]` sets. A key that is written down wins; set while running, it sets all.",
        "",
        f"| key | default | {' | '.join(named)} |",
        f"|---|---|{'---|' * len(named)}",
    ]
    for key in keys:
        cells = [f"`{_toml(PRESETS[name][key])}`" if key in PRESETS[name] else "—" for name in named]
        rows.append(f"| `{key}` | `{_toml(value_of(default, key))}` | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _is_section(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _sections(name: str, kind: type[msgspec.Struct]) -> list[str]:
    """Return a section and the tables inside it."""
    found = [_section(f"[{name}]", kind)]
    for inner, hint in get_type_hints(kind, include_extras=True).items():
        if _is_section(hint):
            found.extend(_sections(f"{name}.{inner}", hint))
    return found


def _section(title: str, kind: type[msgspec.Struct]) -> str:
    described = _attributes(kind)
    hints = get_type_hints(kind, include_extras=True)
    first_line = (inspect.getdoc(kind) or "").splitlines()[0]
    first_line = re.sub(r"^\[.*?\]: *", "", first_line)
    rows = [
        f"## `{title}`",
        "",
        first_line[:1].upper() + first_line[1:],
        "",
        "| key | type, range | default | meaning |",
        "|---|---|---|---|",
    ]
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        type_text, ranges, meaning = _describe(hint)
        meaning = meaning or described.get(field.name, "")
        if _is_section(hint):
            type_text, default, meaning = "table", "", OVERRIDES.get(kind, f"see `{title[:-1]}.{field.name}]`")
        elif field.required:
            default = "needed"
        else:
            default = f"`{_toml(field.default if field.default is not msgspec.NODEFAULT else field.default_factory())}`"
        meaning = meaning.replace("|", "\\|")
        mark = " ↻" if _is_hot(title, field.name) else ""
        rows.append(
            f"| `{field.name}`{mark} | {', '.join(filter(None, (type_text, ranges)))} | {default} | {meaning} |"
        )
    return "\n".join(rows) + "\n"


def _is_hot(title: str, name: str) -> bool:
    """Return whether a running session takes the key over."""
    root, _, inside = title.strip("[]").partition(".")
    return root in ROOTS and (f"{inside}.{name}" if inside else name) in hot_keys(ROOTS[root])


def _describe(hint: Any) -> tuple[str, str, str]:
    """Return (type, range, description) of an annotation."""
    if get_origin(hint) is Annotated:
        inner, *metas = get_args(hint)
        type_text, ranges, meaning = _describe(inner)
        for meta in metas:
            limits = ((">", meta.gt), ("≥", meta.ge), ("<", meta.lt), ("≤", meta.le))
            bounds = [f"{sign} {value:g}" for sign, value in limits if value is not None]
            ranges = " and ".join(filter(None, (ranges, *bounds)))
            meaning = meta.description or meaning
        return type_text, ranges, meaning
    if get_origin(hint) in (Union, types.UnionType):
        parts = [_describe(part) for part in get_args(hint)]
        return (
            " or ".join(part[0] for part in parts),
            next((p[1] for p in parts if p[1]), ""),
            next((p[2] for p in parts if p[2]), ""),
        )
    if get_origin(hint) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(hint)), "", ""
    if hint is type(None):
        return "absent", "", ""
    if get_origin(hint) in (list, tuple):
        type_text, ranges, _ = _describe(get_args(hint)[0])
        return f"list of {type_text}{'s' * (type_text == 'number')}", ranges, ""
    if get_origin(hint) is dict:
        return f"table of {_describe(get_args(hint)[1])[0]}s", "", ""
    names = {float: "number", int: "whole number", str: "text", bool: "true or false"}
    return names.get(hint, "table"), "", ""


def _attributes(kind: type) -> dict[str, str]:
    """Return the `Attributes:` part of a docstring: name (several names share a line) to meaning."""
    text = inspect.getdoc(kind) or ""
    _, _, part = text.partition("Attributes:\n")
    found = {}
    for names, meaning in re.findall(r"^ {4}(\w[\w, ]*): (.*(?:\n {8}.*)*)", part, re.MULTILINE):
        for name in names.split(", "):
            found[name] = re.sub(r"\s+", " ", meaning)
    return found


def _toml(value: object) -> str:
    if value is None:
        return "absent"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)


if __name__ == "__main__":
    sys.stdout.write(reference())
