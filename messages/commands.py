"""Every command that goes over ZeroMQ: one struct, one handler, one answer.

Commands are things to be done once. Streams and state live in shared memory instead.
"""

from __future__ import annotations

from typing import Any

import msgspec

PROFILE_S_MAX = 600.0


class Command(msgspec.Struct, frozen=True, tag_field="command"):
    """Base of all commands; the tag is the class name in lower case with underscores."""


class Status(Command, frozen=True, tag="status"):
    """Ask for a summary of the receiver's state."""


class Pause(Command, frozen=True, tag="pause"):
    """Take quotes away; positions stay. Handled by strategy.

    Attributes:
        strategy: which of several, by its name in the configuration; empty = all.
    """

    strategy: str = ""


class Resume(Command, frozen=True, tag="resume"):
    """Quote again: ends a pause (strategy) and a halt, the kill latch included (risk).

    Attributes:
        strategy: ends only the pause of this one; empty = everything.
    """

    strategy: str = ""


class Reduce(Command, frozen=True, tag="reduce"):
    """Quote only the side that reduces the position. Handled by risk."""


class Halt(Command, frozen=True, tag="halt"):
    """Cancel everything and stay out until `Resume`."""

    reason: str
    flatten: bool = False


class Flatten(Command, frozen=True, tag="flatten"):
    """Bring positions to zero with reduce-only orders, bounded in time.

    Attributes:
        instrument: only this one; empty = all.
    """

    instrument: str = ""


class CancelAll(Command, frozen=True, tag="cancel_all"):
    """Cancel every order of ours and answer once the venue shows none."""

    reason: str = ""


class Kill(Command, frozen=True, tag="kill"):
    """Run the one-shot that cancels everything at the venue, and latch the halt. Handled by the supervisor."""


class SetParameter(Command, frozen=True, tag="set_parameter"):
    """Set one parameter now: `strategy.risk_aversion_per_usd`, `strategies.BTC.levels`, `BTC-PERPETUAL.levels`,
    `risk.position_max_base`.

    Limits tighten at once; `force` is needed to loosen one.
    """

    name: str
    value: str
    force: bool = False


class Reload(Command, frozen=True, tag="reload"):
    """Read the session's configuration file again and take over what can be. Handled by the supervisor.

    `force` is needed when a limit of risk is looser now.
    """

    force: bool = False


class TakeConfig(Command, frozen=True, tag="take_config"):
    """Go by another configuration from now on; the supervisor has checked it, and tells only those concerned.

    Attributes:
        file: the whole configuration as JSON.
        is_trial: only say whether it could be taken over; nothing changes.
        force: limits of risk may be looser.
    """

    file: str
    is_trial: bool
    force: bool = False


class Profile(Command, frozen=True, tag="profile"):
    """Sample the receiver's stack for `seconds` and write a flame chart; the answer names the file."""

    actor: str
    seconds: float = 10.0

    def why_not(self) -> str:
        """Return what is wrong with its length; empty when nothing is."""
        if 0 < self.seconds <= PROFILE_S_MAX:
            return ""
        return f"seconds = {self.seconds:g}: expected more than 0 and at most {PROFILE_S_MAX:g}"


class Hedge(Command, frozen=True, tag="hedge"):
    """Bring a net delta to its target with one instrument; the answer says what was traded. Strategy asks execution.

    The same `command_id` is the same hedge: sent again, it is answered with what that one did, and nothing is traded.

    Attributes:
        instrument: what is traded.
        weights: by instrument, base units of the traded one for each base unit held; their sum is the net delta.
        target_base: net delta to lead to, base units of the traded instrument.
        is_buy: the only side on which it trades.
        size_max_base: most that it trades.
        passive_s: rests at the touch so long, at most moved every `reprice_ms`; then it crosses for `cross_s`.
        collar_bps: crosses at most this far beyond the mark price.
    """

    command_id: str
    instrument: str
    weights: dict[str, float]
    target_base: float
    is_buy: bool
    size_max_base: float
    passive_s: float
    reprice_ms: int
    cross_s: float
    collar_bps: float


class Vitals(Command, frozen=True, tag="vitals"):
    """Ask a process, at its own socket, what it holds: descriptors, tasks, memory."""


class Stop(Command, frozen=True, tag="stop"):
    """End in order: execution cancels, confirms with the venue and reports; others just end.

    Attributes:
        flatten: bring positions to zero first.
        actor: asked of the supervisor: end only this one, and start its next life, which takes over; empty = all.
    """

    flatten: bool = False
    actor: str = ""


AnyCommand = (
    Status
    | Pause
    | Resume
    | Reduce
    | Halt
    | Flatten
    | CancelAll
    | Hedge
    | Kill
    | SetParameter
    | Reload
    | TakeConfig
    | Profile
    | Vitals
    | Stop
)


class Reply(msgspec.Struct, frozen=True):
    """Answer to one command.

    Attributes:
        ok: whether it was done.
        text: one line for the operator.
        data: details by command.
        is_usage: it was not done because it cannot be done as it was written: a name or a value is wrong.
    """

    ok: bool
    text: str = ""
    data: dict[str, Any] = {}
    is_usage: bool = False


_encoder = msgspec.json.Encoder()
_command_decoder: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)
_reply_decoder = msgspec.json.Decoder(Reply)


def encode(message: Command | Reply) -> bytes:
    """Return a command or reply as JSON bytes."""
    return _encoder.encode(message)


def decode_command(frame: bytes) -> AnyCommand:
    """Return the command in `frame`; msgspec.DecodeError (or its ValidationError) when it is none."""
    return _command_decoder.decode(frame)


def decode_reply(frame: bytes) -> Reply:
    """Return the reply in `frame`; msgspec.DecodeError when it is none."""
    return _reply_decoder.decode(frame)
