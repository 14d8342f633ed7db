"""Providers and customers."""

import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache

from marketplace_accounts.lifecycle import Role
from marketplace_accounts.models import Profile, User, email_key

from .loading import Batch, Row
from .places import Place, place_of
from .plan import Chance, Plan
from .words import names, words_of


class People:
    """The users of a plan: its providers come first, its customers are numbered on behind them."""

    def __init__(self, plan: Plan, password: str) -> None:
        """`password` is a hash, the same for everybody."""
        self.plan = plan
        self.password = password

    def provider_id(self, number: int) -> str:
        return self.plan.row_id("user", number)

    def customer_id(self, number: int) -> str:
        return self.plan.row_id("user", self.plan.providers + number)

    def place(self, provider: int) -> Place:
        return place_of(self.plan.roll("place", provider))

    def providers(self, numbers: range) -> Batch:
        return _batch(numbers, self._provider)

    def customers(self, numbers: range) -> Batch:
        return _batch(numbers, self._customer)

    def _provider(self, number: int) -> tuple[Row, Row]:
        chance, place = self.plan.chance("provider", number), self.place(number)
        user, profile = self._person(number, chance, place, self._opened(number))
        words = words_of(chance.pick(place.languages))
        bio = " ".join(chance.pick(words.bios).format(city=chance.pick(place.cities)) for _ in range(1 + chance.few(3)))
        return user | {"role": Role.PROVIDER}, profile | {"bio": bio}

    def _customer(self, number: int) -> tuple[Row, Row]:
        chance = self.plan.chance("customer", number)
        place = place_of(self.plan.roll("customer place", number))
        joined = self.plan.joined("customer", number, self.plan.customers)
        return self._person(self.plan.providers + number, chance, place, joined)

    def _opened(self, provider: int) -> datetime:
        """When a provider came: some hours before his first service did."""
        if provider >= self.plan.sellers:
            return self.plan.joined("idle", provider, self.plan.providers)
        service = first_service(self.plan, provider)
        ahead = timedelta(minutes=10 + self.plan.roll("ahead", provider) % 3000)
        return self.plan.joined("service", service, self.plan.services) - ahead

    def _person(self, number: int, chance: Chance, place: Place, joined: datetime) -> tuple[Row, Row]:
        pool = names()[place.names]
        first, last = chance.pick(pool.first), chance.pick(pool.last)
        key = self.plan.row_id("user", number)
        email = f"{_plain(first)}.{_plain(last)}.{number}@{self.plan.tag}.example.com"
        verified = chance.between(joined, joined + timedelta(hours=2)) if chance.happens(0.94) else None
        user: Row = {
            "id": key,
            "password": self.password,
            "email": email,
            "email_key": email_key(email),
            "email_verified_at": verified,
            "role": Role.CUSTOMER,
            "created_at": joined,
            "updated_at": verified or joined,
        }
        return user, {"user_id": key, "first_name": first, "last_name": last} | _reached(chance, place)


def first_service(plan: Plan, provider: int) -> int:
    """The number of a provider's first service. Providers join in even steps along the services."""
    return -(-provider * plan.services // plan.sellers)


def _reached(chance: Chance, place: Place) -> Row:
    """Where somebody lives and can be called, if he tells."""
    street = place.street.format(name=chance.pick(names()[place.names].last), n=1 + int(chance.random() * 180))
    phone = f"{place.phone}{int(chance.random() * 9_000_000) + 1_000_000}"
    return {
        "address": f"{street}, {chance.pick(place.cities)}" if chance.happens(0.7) else "",
        "phone": phone if chance.happens(0.6) else "",
    }


@cache
def _plain(name: str) -> str:
    """A name as it stands in an e-mail address."""
    ascii_only = unicodedata.normalize("NFKD", name.replace("ß", "ss").replace("ł", "l").replace("Ł", "L"))
    return "".join(letter for letter in ascii_only.lower() if letter.isascii() and letter.isalpha())


def _batch(numbers: range, make: Callable[[int], tuple[Row, Row]]) -> Batch:
    users, profiles = zip(*map(make, numbers), strict=True)
    return {User: users, Profile: profiles}
