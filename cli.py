#!/usr/bin/env python3
"""The operator's commands for a running session. Any python3 will do: it goes on in .venv by itself.

./cli.py status | top | pause | resume | reduce | flatten | set NAME VALUE | profile ACTOR | stop | kill
./cli.py init FILE | doctor [CONFIG] | record CONFIG | explain ORDER | export [RUN] | report [RUN]
./cli.py calibrate DATA | backtest DATA | optimize DATA | score RUN
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_VENV_PYTHON = Path(__file__).resolve().parent / ".venv" / "bin" / "python"
if __name__ == "__main__" and Path(sys.prefix) != _VENV_PYTHON.parent.parent:
    if not _VENV_PYTHON.exists():
        sys.exit("error: not set up yet: run `make run` once first (it creates .venv)")
    os.execv(_VENV_PYTHON, [str(_VENV_PYTHON), *sys.argv])

_CONFIGS = Path(__file__).resolve().parent / "configs"
if __name__ == "__main__" and sys.argv[1:2] == ["kill"] and not {"-h", "--help"} & set(sys.argv):
    from actors import kill as one_shot  # before everything else: imports are most of the time that it takes

    sys.exit(one_shot.operate(sys.argv[2:], _CONFIGS))

import json  # noqa: E402 - what follows needs the packages of .venv
import signal  # noqa: E402
import subprocess  # noqa: E402
import threading  # noqa: E402
from typing import Annotated, NoReturn  # noqa: E402

import typer  # noqa: E402

import shm  # noqa: E402
from domain.errors import ConnectivityError, ExitCode, UserError  # noqa: E402
from messages import commands  # noqa: E402
from messages.commands import Command, Reply  # noqa: E402
from runtime import paths  # noqa: E402
from runtime.abandoned import abandoned  # noqa: E402
from runtime.arguments import reworded_typer  # noqa: E402
from runtime.commands import send_command  # noqa: E402
from runtime.dotenv import load_dotenv  # noqa: E402
from runtime.environment import scrubbed  # noqa: E402
from runtime.last_run import choose_run, how_to_start, last_run  # noqa: E402
from runtime.secrecy import keep_files_private  # noqa: E402
from runtime.session import is_supervised  # noqa: E402
from runtime.supervision.screen import status_lines  # noqa: E402
from runtime.topology import ACTORS, EXECUTION, SUPERVISOR  # noqa: E402
from shm.attach import list_sessions  # noqa: E402

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__.splitlines()[0])
Session = Annotated[str, typer.Option("--session", "-s", help="name of the session (its config's file name)")]
Strategy = Annotated[str, typer.Argument(help="one of several, by its name in the configuration; default: all")]
NewestOf = Annotated[str, typer.Option("--session", "-s", help="instead of a run: the newest of this session")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
ANSWER_TIMEOUT_S = 10.0
EXECUTION_TIMEOUT_S = 2.0
RELOAD_TIMEOUT_S = 90.0
PATIENCE_S = 30.0  # without an answer for so long, the operator is told what is waited for


def _send(session: str, command: Command, timeout_s: float | None = ANSWER_TIMEOUT_S) -> Reply:
    """Send a command to the session's supervisor; one clear line and exit 2 when it does not run.

    Args:
        timeout_s: None = its answer is waited for as long as the supervisor lives.
    """
    if not is_supervised(session):
        if (orphans := abandoned(session)) is not None:
            raise UserError(
                f"session {session}: {orphans.words()}; `./cli.py kill -s {session}` cancels at the venue and "
                f"confirms, then {how_to_start(session, _CONFIGS)}"
            )
        running = ", ".join(name for name in list_sessions() if is_supervised(name)) or "none"
        raise UserError(
            f"no session named `{session}` is running (running: {running}); {how_to_start(session, _CONFIGS)}"
        )
    try:
        return send_command(session, SUPERVISOR, command, timeout_s)
    except ConnectivityError as error:
        if not is_supervised(session):
            left = last_run(session)
            raise UserError(f"{error}{f': {left.folder} says how' if left else ''}") from None
        raise UserError(f"{error}; `./cli.py kill -s {session}` cancels without the supervisor") from None


def _send_and_wait(session: str, command: Command) -> Reply:
    """Send a command that may flatten, which takes what the configuration allows: no time of ours may cut it off."""
    waits = (
        f"session {session} has not answered for {PATIENCE_S:g} s and still lives: a flattening may take "
        "execution.flatten_passive_s, flatten_timeout_s and more; Ctrl-C ends the waiting alone, "
        f"`./cli.py kill -s {session}` breaks off what it does, and cancels"
    )
    telling = threading.Timer(PATIENCE_S, print, (waits,), {"file": sys.stderr})
    telling.daemon = True
    telling.start()
    takes_commands = (paths.run_directory(session) / f"{SUPERVISOR}.sock").exists()  # a recording alone takes none
    try:
        return _send(session, command, timeout_s=None if takes_commands else ANSWER_TIMEOUT_S)
    finally:
        telling.cancel()


def _finish(reply: Reply) -> None:
    print(reply.text)
    if not reply.ok:
        raise typer.Exit(ExitCode.USAGE if reply.is_usage else ExitCode.CRASH)


@app.command()
def status(session: Session = "local", as_json: AsJson = False) -> None:
    """Show what the session does: actors, quotes, position, risk, and why a side is not quoted."""
    shown = dict(_send(session, commands.Status()).data)
    if EXECUTION in shown["actors"]:  # a recording has none
        shown["execution"] = _execution_says(session)
    if as_json:
        print(json.dumps(shown, indent=2))
        return
    print(*status_lines(shown), sep="\n")


def _execution_says(session: str) -> str:
    """Return what execution says of itself: it alone knows of a journal that fails, and of a venue that refuses."""
    try:
        return send_command(session, EXECUTION, commands.Status(), EXECUTION_TIMEOUT_S).text
    except ConnectivityError as error:
        return str(error)


@app.command()
def top(
    session: Session = "local",
    interval_s: Annotated[float, typer.Option("--interval", min=0.1, max=60.0, help="seconds between two looks")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="one look, in plain text")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch the actors at work: cpu, memory, heartbeats, rings, latencies, position. Reads shared memory alone."""
    from rich.console import Console

    from runtime.top import watch
    from runtime.top.screen import screen_of

    try:
        attached = shm.attach(session)
        if as_json:
            print(watch.as_json(watch.look_once(attached, interval_s)))
        elif once:
            Console(highlight=False).print(screen_of(session, watch.look_once(attached, interval_s)))
        else:
            watch.watch(attached, interval_s, Console(highlight=False))
            print(f"session {session} has ended")
    except shm.Error as error:
        raise UserError(str(error)) from None
    except KeyboardInterrupt:
        return


@app.command()
def pause(strategy: Strategy = "", session: Session = "local") -> None:
    """Take all quotes away, or those of one strategy; positions stay."""
    _finish(_send(session, commands.Pause(strategy)))


@app.command()
def resume(strategy: Strategy = "", session: Session = "local") -> None:
    """Quote again after a pause, a halt or a kill; of one strategy, after a pause."""
    _finish(_send(session, commands.Resume(strategy)))


@app.command()
def reduce(session: Session = "local") -> None:
    """Quote only the side that reduces the position."""
    _finish(_send(session, commands.Reduce()))


@app.command()
def flatten(
    instrument: Annotated[str, typer.Option("--instrument", "-i", help="only this one; the others go on")] = "",
    session: Session = "local",
) -> None:
    """Pause, then bring every position (or one instrument's, without a pause) to zero with reduce-only orders."""
    _finish(_send_and_wait(session, commands.Flatten(instrument)))


@app.command(name="set", context_settings={"ignore_unknown_options": True})  # values may be negative
def set_parameter(
    name: Annotated[
        str, typer.Argument(help="strategy.NAME, strategies.STRATEGY.NAME, INSTRUMENT.NAME or risk.NAME")
    ] = "",
    value: Annotated[str, typer.Argument()] = "",
    session: Session = "local",
    force: Annotated[bool, typer.Option("--force", help="needed to loosen a limit")] = False,
    reload: Annotated[
        bool, typer.Option("--reload", help="instead: take over what was edited in the configuration file")
    ] = False,
) -> None:
    """Set one parameter of the running session, or with --reload all that its file says now; checked before."""
    if reload and not (name or value):
        _finish(_send(session, commands.Reload(force=force), RELOAD_TIMEOUT_S))
        return
    if reload or not (name and value):
        raise UserError("expected NAME VALUE, e.g. `set strategy.levels 2`, or --reload alone")
    _finish(_send(session, commands.SetParameter(name=name, value=value, force=force)))


@app.command()
def profile(
    actor: Annotated[
        str,
        typer.Argument(help=f"one of {', '.join(kind.name for kind in ACTORS)}; of several strategies strategy.NAME"),
    ],
    seconds: Annotated[float, typer.Argument()] = 10.0,
    session: Session = "local",
) -> None:
    """Sample an actor's stack while it works and write a flame chart."""
    _finish(_send(session, commands.Profile(actor=actor, seconds=seconds), seconds + ANSWER_TIMEOUT_S))


@app.command()
def stop(
    session: Session = "local",
    flatten_first: Annotated[bool, typer.Option("--flatten", help="bring positions to zero first")] = False,
    restart: Annotated[
        str, typer.Option("--restart", metavar="ACTOR", help="only this actor; its successor takes over at once")
    ] = "",
) -> None:
    """End the session: quotes cancelled and confirmed by the venue, processes ended."""
    if restart and flatten_first:
        raise UserError("--restart goes on quoting, --flatten ends the session: use one of the two")
    _finish(_send_and_wait(session, commands.Stop(flatten=flatten_first, actor=restart)))


@app.command()
def kill(
    session: Session = "local",
    config: Annotated[Path | None, typer.Option("--config", help="default: what the session ran with last")] = None,
) -> None:
    """Cancel everything at the venue with a connection of its own, whatever still works; then halt the session.

    Needs no other process of ours. Ends when the venue has shown twice that no order is open.
    """
    from actors import kill as one_shot

    named = [] if config is None else ["--config", str(config)]
    raise typer.Exit(one_shot.operate(["--session", session, *named], _CONFIGS))


@app.command()
def doctor(
    config: Annotated[Path, typer.Argument(help="what a session would be started with")] = _CONFIGS / "local.toml",
    venue: Annotated[bool, typer.Option("--venue", help="also ask a real venue what it lists; no key is used")] = False,
    as_json: AsJson = False,
) -> None:
    """Look whether this machine and a configuration are fit for a session; one line a look."""
    from runtime.doctor.examination import examine
    from runtime.doctor.finding import exit_code_of

    found = examine(config, asks_venue=venue)
    if as_json:
        print(json.dumps([one._asdict() for one in found], indent=2))
    else:
        print(*(one.line() for one in found), sep="\n")
    raise typer.Exit(exit_code_of(found))


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="to write; its name is the session's name")],
    venue: Annotated[str, typer.Option("--venue", help="local or thalex")] = "local",
    instrument: Annotated[str, typer.Option("--instrument", "-i", help="as the venue names it")] = "BTC-PERPETUAL",
    preset: Annotated[str, typer.Option("--preset", help="none, conservative or aggressive")] = "none",
    price_usd: Annotated[float | None, typer.Option("--price", help="what it trades at, roughly")] = None,
    size_base: Annotated[float | None, typer.Option("--size", help="of an order, base units")] = None,
) -> None:
    """Write a commented configuration of one instrument, to begin with; never over one that is there."""
    from runtime.first_config import write_first_config

    config = write_first_config(
        file, venue=venue, instrument=instrument, preset=preset, price_usd=price_usd, size_base=size_base
    )
    asks = " --venue" if venue != "local" else ""
    print(f"{file} written, session {config.session}; next: ./cli.py doctor {file}{asks}, then make run CONFIG={file}")


_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True}


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def calibrate(context: typer.Context) -> None:
    """Fit σ, A, κ and impact to recorded data, suggest γ, write a block for a configuration; see `calibrate --help`."""
    _run_module("backtest.calibration", context.args)


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def backtest(context: typer.Context) -> None:
    """Run a strategy over a recording, and write its statistics and a report; see `backtest --help`."""
    _run_module("backtest", context.args)


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def optimize(context: typer.Context) -> None:
    """Search for parameters over recordings, judged on time that the search never saw; see `optimize --help`."""
    _run_module("backtest.search", context.args)


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def score(context: typer.Context) -> None:
    """Play a recorded session's own orders again, and compare with what happened; see `score --help`."""
    _run_module("backtest.scoring", context.args)


def _run_module(module: str, arguments: list[str]) -> NoReturn:
    """Go on as a module: kernels are compiled only where the switch is set before the imports.

    In the same process, so that a signal for this one, SIGKILL too, is for it.
    """
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], _environment())


def _environment() -> dict[str, str]:
    """Return what programs that compute on recordings are told: no key, for they run users' code, here or elsewhere."""
    return {**scrubbed(os.environ), "PYTHONPATH": str(Path(__file__).resolve().parent)}


@app.command()
def record(
    config: Annotated[Path | None, typer.Argument(help="what to follow, as for a session; without it --venue")] = None,
    venue: Annotated[str, typer.Option("--venue", help="without a file: local or thalex")] = "",
    instruments: Annotated[
        list[str] | None, typer.Option("--instrument", "-i", help="with --venue; may be given more than once")
    ] = None,
    url: Annotated[str, typer.Option("--url", help="with --venue: its WebSocket address")] = "",
    seconds: Annotated[float | None, typer.Option("--seconds", help="end after this time; default: at Ctrl-C")] = None,
) -> None:
    """Record public market data, without keys and without an order: market data and a recorder, nothing else."""
    from runtime.config import load_config
    from runtime.supervision.outlet import Outlet
    from runtime.supervision.recording_session import RecordingSession, recording_of, recording_of_venue

    if (config is None) == (not venue):
        raise UserError("record: give a configuration, or --venue")
    if seconds is not None and not seconds > 0:
        raise UserError(f"--seconds {seconds:g}: expected a number above 0")
    if config is not None:
        asked = recording_of(load_config(config))
    else:
        asked = recording_of_venue(venue, instruments or ["BTC-PERPETUAL"], url)
    outlet, error_outlet = Outlet(sys.stdout), Outlet(sys.stderr)
    session = RecordingSession(
        asked, seconds=seconds, say=lambda text: outlet.say(f"{asked.session}: {text}"), say_error=error_outlet.say
    )
    try:
        raise typer.Exit(session.run())
    finally:
        outlet.close()
        error_outlet.close()


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def explain(context: typer.Context) -> None:
    """Tell why an order was what it was, by our id or the venue's, each step computed again; see `explain --help`."""
    _run_module("actors.explain", context.args)


@app.command()
def export(
    run: Annotated[Path | None, typer.Argument(help="folder or name of a run; default: the newest with orders")] = None,
    session: NewestOf = "",
    to: Annotated[Path | None, typer.Option("--to", help="folder to write to; default: csv/ in the run's")] = None,
    only: Annotated[
        str, typer.Option("--only", help="print one kind alone: fills, orders, messages or pnl", metavar="KIND")
    ] = "",
) -> None:
    """Write fills, orders, messages and P&L of a run as CSV, also while it runs."""
    from runtime.recordings.export import KINDS, export_kind, export_run

    found = choose_run(run, session)
    if only and (to is not None or only not in KINDS):
        raise UserError(f"--only {only}: expected one of {', '.join(KINDS)}, without --to")
    if only:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends it without a word
        export_kind(found, only, sys.stdout)
        return
    for path, rows in export_run(found, to or found / "csv").items():
        print(f"{rows:>8} rows  {path}")


@app.command()
def report(
    run: Annotated[
        Path | None, typer.Argument(help="folder or name of a run or of a backtest; default: the newest with orders")
    ] = None,
    session: NewestOf = "",
    as_json: AsJson = False,
) -> None:
    """Show a run in statistics and write its report, report.html; and what its signals foretold, where it had them."""
    from trading.signals import report as signals  # NumPy: no other verb needs it

    folder = choose_run(run, session)
    command = [sys.executable, "-m", "backtest.report", str(folder), *(["--json"] if as_json else [])]
    page = subprocess.run(command, env=_environment(), check=False, text=True, capture_output=True)
    try:
        lines = signals.read_run(folder)
    except UserError as error:
        if page.returncode:
            raise UserError(page.stderr.strip().removeprefix("error: ") or str(error)) from None
        print(page.stdout, end="")
        return
    if as_json:
        print(json.dumps({**signals.report(lines), "run": json.loads(page.stdout or "null")}, indent=2))
        return
    print("\n".join(signals.report_lines(lines)))
    print(f"\n{page.stdout}" if page.returncode == 0 else f"\nno report: {page.stderr.strip()}")


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
