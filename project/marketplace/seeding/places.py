"""Where providers and customers live: their time zone, money, languages and names."""

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """A market. `rate` is what a euro costs there, `step` what prices are a multiple of."""

    timezone: str
    currency: str
    rate: float
    step: Decimal
    languages: list[str]
    names: str
    cities: list[str]
    street: str
    phone: str


def place_of(roll: int) -> Place:
    """The one that this number falls on."""
    return _hundred()[roll % len(_hundred())]


@cache
def _hundred() -> tuple[Place, ...]:
    """Each place as often as it is of a hundred."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    found: list[Place] = []
    for row in table["places"]:
        money, share = table["currencies"][row["currency"]], row.pop("of_a_hundred")
        found += [Place(rate=money["rate"], step=Decimal(money["step"]), **row)] * share
    return tuple(found)
