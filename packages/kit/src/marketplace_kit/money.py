"""Exact money: the known currencies, how many decimals each has, and how amounts are rounded."""

from decimal import ROUND_HALF_UP, Decimal

from iso4217 import raw_table

MAX_AMOUNT = Decimal("999999999.99")

# ISO 4217's table, without the codes that have no minor unit (gold, test codes, special drawing rights).
EXPONENTS: dict[str, int] = {
    code: int(units)
    for code, entry in raw_table.items()
    if code and isinstance(units := entry["CcyMnrUnts"], str) and units.isdigit()
}


def is_currency(code: str) -> bool:
    """Whether `code` is a currency of ISO 4217 that amounts can be given in."""
    return code in EXPONENTS


def unit(currency: str) -> Decimal:
    """The smallest amount of a currency: 0.01 for USD, 1 for JPY, 0.001 for KWD. KeyError for an unknown one."""
    return Decimal(1).scaleb(-EXPONENTS[currency])


def rounded(amount: Decimal, currency: str) -> Decimal:
    """`amount` with exactly the currency's decimals; halves round up, away from zero."""
    return amount.quantize(unit(currency), rounding=ROUND_HALF_UP)


def is_exact(amount: Decimal, currency: str) -> bool:
    """Whether `amount` needs no more decimals than its currency has."""
    return rounded(amount, currency) == amount


def percentage(amount: Decimal, percent: Decimal, currency: str) -> Decimal:
    """`percent` per cent of `amount`, rounded to the currency; the rest of the split is `amount` minus it."""
    return rounded(amount * percent / 100, currency)
