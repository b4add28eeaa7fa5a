"""Methods of the session itself: login, cancel on disconnect, subscriptions."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from exchange.gateways.thalex import wire
from exchange.gateways.thalex.channel_names import PRIVATE
from exchange.gateways.thalex.errors import ErrorCode, RequestError
from exchange.gateways.thalex.session import Method, Methods, Session

CHANNELS_PER_REQUEST_MAX = 1000


class LoginParams(Struct):
    token: str
    account: str | None = None


class ChannelsParams(Struct):
    channels: Annotated[list[str], Meta(max_length=CHANNELS_PER_REQUEST_MAX)]


class CancelOnDisconnectParams(Struct):
    timeout_secs: Annotated[int, Meta(ge=1, le=86_400)]


def login(session: Session, params: LoginParams) -> bytes:
    if session.account is not None:
        raise RequestError(ErrorCode.INVALID_REQUEST, "invalid request: this connection is logged in already")
    context = session.context
    now_ns = context.engine.scheduler.login_ns()
    key_id, account_number = context.authenticator.login(params.token, params.account, now_ns)
    account = context.engine.accounts[account_number]
    connected = sum(other.account is account for other in context.sessions.values())
    limit = context.settings.connections_max
    if limit and connected >= limit:
        raise RequestError(ErrorCode.CONNECTION_LIMIT, f"API connection limit reached: {connected} of {limit}")
    session.account = account
    context.order_log.write("login", session.session_id, key_id=key_id, account=account_number)
    return wire.encode({"account_number": account_number})


def set_cancel_on_disconnect(session: Session, params: CancelOnDisconnectParams) -> bytes:
    session.arm_cancel_on_disconnect(params.timeout_secs)
    return wire.encode({"message_rate": session.context.settings.order_rate_with_cod_per_s})


def public_subscribe(session: Session, params: ChannelsParams) -> bytes:
    return _subscribe(session, params.channels, private=False)


def private_subscribe(session: Session, params: ChannelsParams) -> bytes:
    return _subscribe(session, params.channels, private=True)


def unsubscribe(session: Session, params: ChannelsParams) -> bytes:
    """Leave channels, public and private mixed; answer those left, code 9 when none was subscribed."""
    left = []
    for name in dict.fromkeys(params.channels):
        channel = session.channels.pop(name, None)
        if channel is not None:
            channel.remove(session)
            session.context.hub.release(channel)
            left.append(name)
    if params.channels and not left:
        raise RequestError(ErrorCode.NOT_SUBSCRIBED, f"not subscribed: {', '.join(params.channels)}")
    return wire.encode(left)


def _subscribe(session: Session, wanted: list[str], *, private: bool) -> bytes:
    """Join the channels that exist and answer their names; a second time changes nothing.

    The first message of each follows the response. Code 5 when none of them exists.
    """
    joined = []
    hub, most = session.context.hub, session.context.settings.channels_max
    if len(session.channels.keys() | set(wanted)) > most:
        raise RequestError(ErrorCode.SESSION_EXHAUSTED, f"session exhausted: at most {most} channels")
    for name in dict.fromkeys(wanted):
        if name in session.channels and (name in PRIVATE) == private:
            joined.append(name)
            continue
        if private:
            assert session.account is not None
            channel = hub.private_channel(name, session.account, session.session_id)
        else:
            channel = hub.public_channel(name)
        if channel is None:
            continue
        session.channels[name] = channel
        session.first_messages.append(channel)
        joined.append(name)
    if wanted and not joined:
        raise RequestError(ErrorCode.UNKNOWN_INSTRUMENT, f"no such channel: {', '.join(wanted)}")
    return wire.encode(joined)


METHODS: Methods = {
    "public/login": Method(login, msgspec.json.Decoder(LoginParams)),
    "public/subscribe": Method(public_subscribe, msgspec.json.Decoder(ChannelsParams)),
    "private/subscribe": Method(private_subscribe, msgspec.json.Decoder(ChannelsParams), needs_login=True),
    "private/set_cancel_on_disconnect": Method(
        set_cancel_on_disconnect, msgspec.json.Decoder(CancelOnDisconnectParams), needs_login=True
    ),
    # The venue's own name has no prefix; some clients in the field use one.
    "unsubscribe": Method(unsubscribe, msgspec.json.Decoder(ChannelsParams)),
    "public/unsubscribe": Method(unsubscribe, msgspec.json.Decoder(ChannelsParams)),
    "private/unsubscribe": Method(unsubscribe, msgspec.json.Decoder(ChannelsParams)),
}
