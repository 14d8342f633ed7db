"""Money is exact in every currency."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace_kit import money

currencies = st.sampled_from(sorted(money.EXPONENTS))
amounts = st.decimals(0, money.MAX_AMOUNT, allow_nan=False, places=6)


@pytest.mark.parametrize(("code", "decimals"), [("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("ISK", 0), ("EUR", 2)])
def test_iso_4217(code, decimals):
    assert money.EXPONENTS[code] == decimals


@pytest.mark.parametrize("code", ["XAU", "XXX", "XTS", "usd", "DEM", "", "US"])
def test_what_is_no_currency(code):
    assert not money.is_currency(code)


@given(amount=amounts, currency=currencies)
def test_rounding_goes_to_the_nearest_unit_and_halves_up(amount, currency):
    unit, rounded = money.unit(currency), money.rounded(amount, currency)

    assert money.is_exact(rounded, currency)
    assert -unit / 2 < rounded - amount <= unit / 2
    assert -rounded.as_tuple().exponent == money.EXPONENTS[currency]


@given(amount=amounts, percent=st.decimals(0, 100, places=2), currency=currencies)
def test_a_share_and_the_rest_are_the_whole(amount, percent, currency):
    whole = money.rounded(amount, currency)

    share = money.percentage(whole, percent, currency)

    assert 0 <= share <= whole
    assert share + (whole - share) == whole


def test_one_value_however_written():
    assert {money.rounded(Decimal(text), "USD") for text in ("50", "50.0", "50.00")} == {Decimal("50.00")}
