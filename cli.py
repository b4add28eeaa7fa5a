#!/usr/bin/env python3
"""What an operator does beside `make run`: look at a session and steer it, prepare one, study what it left.

Any python3 will do: it goes on in .venv by itself.

./cli.py status | top | pause | resume | reduce | flatten | set NAME VALUE | profile ACTOR | stop | kill
./cli.py init FILE | doctor [CONFIG] | record CONFIG | explain ORDER | export [RUN] | report [RUN]
./cli.py calibrate DATA | backtest DATA | optimize DATA | score RUN
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

_NOT_SET_UP = "error: not set up yet, or still being set up: `make run` or `make test` does it"
_VENV_PYTHON = Path(__file__).resolve().parent / ".venv" / "bin" / "python"
if __name__ == "__main__" and Path(sys.prefix) != _VENV_PYTHON.parent.parent:
    if not _VENV_PYTHON.exists():
        print(_NOT_SET_UP, file=sys.stderr)
        sys.exit(2)
    os.execv(_VENV_PYTHON, [str(_VENV_PYTHON), *sys.argv])

try:  # what follows needs the packages of .venv, which the first `make` takes minutes to install
    if __name__ == "__main__" and sys.argv[1:2] == ["kill"] and not {"-h", "--help"} & set(sys.argv):
        from actors import kill  # before everything else: imports are most of the time that it takes
        from operating.places import CONFIGS

        sys.exit(kill.operate(sys.argv[2:], CONFIGS))

    import typer

    from domain.errors import ExitCode, UserError
    from operating import control, looking, recording, research, runs, setting_up
    from operating.as_program import INTERRUPTED
    from runtime import paths
    from runtime.arguments import reworded_typer
    from runtime.dotenv import load_dotenv
    from runtime.environment import scrubbed
    from runtime.secrecy import keep_files_private
except ModuleNotFoundError as missing:
    print(f"{_NOT_SET_UP} (no {missing.name} in .venv)", file=sys.stderr)
    sys.exit(2)

NEGATIVE_VALUES = {"ignore_unknown_options": True}
PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True}

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__.splitlines()[0])
_program = partial(app.command, context_settings=PASSED_ON, add_help_option=False)  # reads its own command line

# Every verb, in the order of the help page.
app.command()(looking.status)
app.command()(looking.top)

app.command()(control.pause)
app.command()(control.resume)
app.command()(control.reduce)
app.command()(control.flatten)
app.command("set", context_settings=NEGATIVE_VALUES)(control.set_parameter)
app.command()(control.profile)
app.command()(control.stop)
app.command()(control.kill)

app.command()(setting_up.doctor)
app.command()(setting_up.init)

_program()(research.calibrate)
_program()(research.backtest)
_program()(research.optimize)
_program()(research.score)

app.command()(recording.record)

_program()(runs.explain)
app.command()(runs.export)
app.command()(runs.report)


@app.callback()
def _before_each(context: typer.Context) -> None:
    # Of .env: where sessions lie and, for `record`, how the venue is reached. No command that begins here needs a key.
    if context.invoked_subcommand == "doctor":  # which looks at .env itself, and says what is wrong with it
        return
    told: dict[str, str] = {}
    load_dotenv(paths.home() / ".env", told, warn=lambda fault: print(f"warning: {fault}", file=sys.stderr))
    for name, value in scrubbed(told, keeps_proxy=context.invoked_subcommand == "record").items():
        os.environ.setdefault(name, value)


def main() -> None:
    """Run a command; faults of the user become one line and exit code 2 or 3."""
    keep_files_private()
    try:
        sys.exit(app(standalone_mode=False))  # a raised typer.Exit comes back as its code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except typer.Abort:  # Ctrl-C
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:
        format_message = getattr(error, "format_message", None)  # click's usage errors
        if format_message is None:
            raise
        if text := format_message():  # empty of a bare `./cli.py`, which shows its help
            verb = getattr(getattr(error, "ctx", None), "info_name", None)
            help_of = f"{verb} --help" if verb and verb != Path(sys.argv[0]).name else "--help"
            print(f"error: {reworded_typer(text)}; see `./cli.py {help_of}`", file=sys.stderr)
        else:
            error.show()  # type: ignore[attr-defined]
        sys.exit(ExitCode.USAGE)


if __name__ == "__main__":
    main()
