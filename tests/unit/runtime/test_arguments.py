"""What a command says of arguments that it does not understand: one line, without its usage."""

from __future__ import annotations

import pytest

from runtime.arguments import Arguments, reworded_typer


@pytest.fixture
def parser() -> Arguments:
    found = Arguments(prog="cli.py play")
    found.add_argument("data", nargs="+")
    found.add_argument("--seconds", type=float)
    found.add_argument("--rounds", "-n", type=int)
    found.add_argument("--queue", choices=["log", "power"])
    return found


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["x", "--seconds", "abc"], "--seconds abc: expected a number"),
        (["x", "-n", "1.5"], "--rounds 1.5: expected a whole number"),
        (["x", "--queue", "fifo"], "--queue fifo: expected one of log, power"),
        (["x", "--seconds"], "--seconds: expected one argument"),
        (["x", "--foo"], "unrecognized arguments: --foo"),
        ([], "the following arguments are required: data"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(
    parser: Arguments, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {expected}; see `cli.py play --help`\n"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Invalid value for '--interval': 'abc' is not a valid float.", "--interval abc: 'abc' is not a valid float"),
        ("Invalid value for '--interval': Input should be a number", "--interval abc: input should be a number"),
        ("Invalid value for 'seconds': Input should be a number", "seconds: input should be a number"),
        ("Missing argument 'ORDER'.", "missing argument 'ORDER'"),
        ("No such option: --foo", "no such option: --foo"),
    ],
)
def test_what_typer_says_is_one_line_with_the_value(message: str, expected: str) -> None:
    assert reworded_typer(message, ["cli.py", "top", "--interval", "abc"]) == expected
    assert reworded_typer(message, ["cli.py", "top", "--interval=abc"]) == expected
