"""The wallet: transfers between accounts of this venue; there are no blockchains behind it.

Nothing is ever deposited, deposit addresses are told but lead nowhere, and keys may not withdraw.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import Struct

from exchange.core.orders import OrderRejected
from exchange.core.transfers import Transfer
from exchange.core.units import plain, wire_decimal
from exchange.gateways.thalex import wire
from exchange.gateways.thalex.errors import ErrorCode, RequestError, request_error
from exchange.gateways.thalex.market_methods import NoParams
from exchange.gateways.thalex.session import Method, Methods, Session
from exchange.gateways.thalex.trading_methods import check_label

Number = int | float


class AssetParams(Struct):
    asset_name: str
    amount: Number


class PositionParams(Struct):
    instrument_name: str
    amount: Number


class TransferParams(Struct):
    destination_account_number: str
    assets: list[AssetParams] = []
    positions: list[PositionParams] = []
    label: str | None = None


class WithdrawalParams(Struct):
    asset_name: str
    amount: Number
    target_address: str
    label: str | None = None


def verify_internal_transfer(session: Session, params: TransferParams) -> bytes:
    """Answer the margins that a transfer would leave, and the error that it would meet."""
    engine, transfer = session.context.engine, _plan(session, params)
    source, destination = engine.transfers.margins(transfer)
    answer: dict[str, Any] = {
        "source_available_margin": plain(source.available),
        "source_required_margin": plain(source.required),
        "destination_available_margin": plain(destination.available),
        "destination_required_margin": plain(destination.required),
    }
    try:
        engine.transfers.check(transfer)
    except OrderRejected as rejected:
        error = request_error(rejected)
        answer["error"] = {"code": int(error.code), "message": str(error)}
    return wire.encode(answer)


def internal_transfer(session: Session, params: TransferParams) -> bytes:
    check_label(params.label)
    session.context.engine.transfers.carry_out(_plan(session, params), params.label)
    return wire.encode(None)


def withdraw(session: Session, params: WithdrawalParams) -> bytes:
    raise RequestError(ErrorCode.UNAUTHORIZED, "unauthorized: this API key may not withdraw")


def crypto_deposits(session: Session, params: NoParams) -> bytes:
    return wire.encode({"confirmed": [], "unconfirmed": []})


def crypto_withdrawals(session: Session, params: NoParams) -> bytes:
    return wire.encode([])


def btc_deposit_address(session: Session, params: NoParams) -> bytes:
    return wire.encode("tb1q" + _digest(session)[:38])


def eth_deposit_address(session: Session, params: NoParams) -> bytes:
    return wire.encode("0x" + _digest(session)[:40])


def _digest(session: Session) -> str:
    assert session.account is not None
    return hashlib.sha256(session.account.number.encode()).hexdigest()


def _plan(session: Session, params: TransferParams) -> Transfer:
    assert session.account is not None
    engine = session.context.engine
    return engine.transfers.plan(
        session.account,
        engine.accounts.get(params.destination_account_number),
        [(each.asset_name, wire_decimal(each.amount)) for each in params.assets],
        [(each.instrument_name, wire_decimal(each.amount)) for each in params.positions],
    )


METHODS: Methods = {
    name: Method(handler, msgspec.json.Decoder(params), needs_login=True)
    for name, handler, params in (
        ("private/verify_internal_transfer", verify_internal_transfer, TransferParams),
        ("private/internal_transfer", internal_transfer, TransferParams),
        ("private/verify_withdrawal", withdraw, WithdrawalParams),
        ("private/withdraw", withdraw, WithdrawalParams),
        ("private/crypto_deposits", crypto_deposits, NoParams),
        ("private/crypto_withdrawals", crypto_withdrawals, NoParams),
        ("private/btc_deposit_address", btc_deposit_address, NoParams),
        ("private/eth_deposit_address", eth_deposit_address, NoParams),
    )
}
