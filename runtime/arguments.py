"""Wrong arguments of a command in one line: which, what it was, what was expected; not the usage of everything."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from domain.errors import ExitCode

_KINDS = {"float": "a number", "int": "a whole number"}
_WRONG_KIND = re.compile(r"argument ([^:]+): invalid (\w+) value: '(.*)'")
_WRONG_CHOICE = re.compile(r"argument ([^:]+): invalid choice: '?(.*?)'? \(choose from (.*)\)")
_OTHER = re.compile(r"argument ([^:]+): (.*)")
_WRONG_VALUE = re.compile(r"Invalid value for '?([^':]+)'?: (.*)", re.DOTALL)  # typer's


class Arguments(argparse.ArgumentParser):
    """Parses the arguments of one of our commands; a wrong one ends it with a line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit."""
        self.exit(ExitCode.USAGE, f"error: {reworded(message)}; see `{self.prog} --help`\n")


def reworded(message: str) -> str:
    """Return what argparse found wrong: the argument, the value, what was expected."""
    if found := _WRONG_KIND.fullmatch(message):
        return f"{_first(found[1])} {found[3]}: expected {_KINDS.get(found[2], 'another value')}"
    if found := _WRONG_CHOICE.fullmatch(message):
        choices = found[3].replace("'", "")
        return f"{_first(found[1])} {found[2]}: expected one of {choices}"
    if found := _OTHER.fullmatch(message):
        return f"{_first(found[1])}: {found[2]}"
    return message


def reworded_typer(message: str, arguments: Sequence[str] = sys.argv) -> str:
    """Return what typer found wrong, with the value that `arguments` give to the option it names."""
    text = message.strip().rstrip(".")
    if found := _WRONG_VALUE.fullmatch(text):
        name = found[1].split(" / ")[-1]
        return f"{name}{_value_of(name, arguments)}: {found[2][:1].lower()}{found[2][1:]}"
    return f"{text[:1].lower()}{text[1:]}"


def _first(names: str) -> str:
    """Return the first of an option's names, `--output` of `--output/-o`."""
    return names.split("/")[0]


def _value_of(option: str, arguments: Sequence[str]) -> str:
    """Return the value given to an option, after a space; nothing where it cannot be told."""
    for given, after in zip(arguments, [*arguments[1:], ""], strict=True):
        if given == option:
            return f" {after}"
        if given.startswith(f"{option}="):
            return f" {given.removeprefix(f'{option}=')}"
    return ""
