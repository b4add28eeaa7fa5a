"""Tests of how exact amounts are written."""

from __future__ import annotations

from decimal import Decimal

import pytest

from actors.risk.money import exact_text
from domain.records import TEXT_BYTES


@pytest.mark.parametrize("text", ["0", "-0.000000000001", "123456789.123456789012345678", "-1.5"])
def test_an_amount_is_written_to_the_last_digit(text: str) -> None:
    assert exact_text(Decimal(text)) == text.encode()


def test_the_remainder_of_a_sum_in_binary_is_cut_at_the_18th_decimal() -> None:
    assert exact_text(Decimal("-1.0587911840678754e-22")) == b"-0.000000000000000000"
    assert exact_text(Decimal("12.0000000000000000001058791184067875")) == b"12.0000000000000000001058791184067875"
    assert exact_text(Decimal("100000.00000000000012345678905879118406787")) == b"100000.000000000000123457"


def test_an_absurd_amount_is_left_empty() -> None:
    assert exact_text(Decimal("1e60")) == b""
    assert len(exact_text(Decimal("1e21"))) <= TEXT_BYTES
