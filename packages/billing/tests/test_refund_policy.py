"""What a cancelled booking gives back: the whole table, exactly."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace_billing.lifecycle import REFUND_TABLE, refundable
from marketplace_kit.money import EXPONENTS, unit

HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)

# policy, time left before the start, per cent of 100.00: on the hour counts as until
TABLE = [
    ("flexible", 1000 * HOUR, 100),
    ("flexible", 24 * HOUR, 100),
    ("flexible", 24 * HOUR - TICK, 50),
    ("flexible", timedelta(0), 50),
    ("moderate", 72 * HOUR, 100),
    ("moderate", 72 * HOUR - TICK, 50),
    ("moderate", 24 * HOUR, 50),
    ("moderate", 24 * HOUR - TICK, 0),
    ("strict", 1000 * HOUR, 50),
    ("strict", 168 * HOUR, 50),
    ("strict", 168 * HOUR - TICK, 0),
]


@pytest.mark.parametrize(("policy", "left", "percent"), TABLE)
def test_each_line_of_the_table(policy, left, percent):
    assert refundable(policy, left, Decimal("100.00"), "USD") == Decimal(percent)


def test_half_a_cent_rounds_up():
    assert refundable("flexible", HOUR, Decimal("0.05"), "USD") == Decimal("0.03")
    assert refundable("flexible", HOUR, Decimal("3"), "JPY") == Decimal("2")


@given(
    policy=st.sampled_from([*REFUND_TABLE]),
    hours=st.integers(0, 400),
    currency=st.sampled_from(["USD", "JPY", "KWD", "CLF"]),
    units=st.integers(1, 99_999_999_999),
)
def test_it_never_gives_more_than_was_paid_nor_parts_of_a_unit(policy, hours, currency, units):
    amount = units * unit(currency)

    back = refundable(policy, hours * HOUR, amount, currency)

    assert 0 <= back <= amount
    assert -back.as_tuple().exponent <= EXPONENTS[currency]


@given(policy=st.sampled_from([*REFUND_TABLE]), hours=st.lists(st.integers(0, 400), min_size=2, max_size=2))
def test_who_cancels_earlier_never_gets_less(policy, hours):
    early, late = max(hours) * HOUR, min(hours) * HOUR

    assert refundable(policy, early, Decimal(99), "USD") >= refundable(policy, late, Decimal(99), "USD")
