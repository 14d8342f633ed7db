"""Services and their schedules."""

from array import array
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from marketplace_catalog.lifecycle import CancellationPolicy
from marketplace_catalog.models import Category, Service
from marketplace_scheduling.models import Schedule, ScheduleException

from .kinds import KINDS, Hours, hours_for
from .loading import Batch, Row
from .people import People, first_service
from .places import Place
from .plan import Chance, Plan
from .words import words_of

BOOKED = 6  # so many of a provider's services are booked, his first ones
NOBODY = 2**32 - 1

BUFFERS = (0, 0, 0, 10, 15, 15, 30, 60)
NOTICES = (0, 0, 60, 120, 720, 1440, 2880)
WINDOWS = (30, 60, 60, 90, 180)
POLICIES = (CancellationPolicy.FLEXIBLE,) * 5 + (CancellationPolicy.MODERATE,) * 3 + (CancellationPolicy.STRICT,) * 2
# Beyond what is booked, so that nobody has a booking on a day off.
DAYS_OFF = (40, 55)


class Terms(NamedTuple):
    """What of a service matters to a booking of it. Minutes, but `window`, which is days."""

    number: int
    provider: int
    place: Place
    category: str
    price: Decimal
    hours: Hours
    duration: int
    buffer_before: int
    buffer_after: int
    interval: int
    notice: int
    window: int
    policy: str
    auto_confirm: bool
    created_at: datetime


class Owners:
    """Whose which service is; four bytes a service, as it follows from those before."""

    def __init__(self, plan: Plan) -> None:
        self.of = array("I", bytes(4 * plan.services))
        self._booked = array("I", [NOBODY]) * (BOOKED * plan.sellers)
        chance, joined = plan.chance("owners", 0), 0
        for number in range(plan.services):
            if joined < plan.sellers and number == first_service(plan, joined):
                owner, joined = joined, joined + 1
            else:
                # Who came early has more of them.
                owner = int(joined * min(chance.random(), chance.random()))
            self.of[number] = owner
            self._note(owner, number)

    def _note(self, owner: int, number: int) -> None:
        for place in range(BOOKED * owner, BOOKED * (owner + 1)):
            if self._booked[place] == NOBODY:
                self._booked[place] = number
                return

    def booked(self, provider: int) -> list[int]:
        """The numbers of the services of his that are booked."""
        mine = self._booked[BOOKED * provider : BOOKED * (provider + 1)]
        return [number for number in mine if number != NOBODY]


class Offers:
    """The services of a plan."""

    def __init__(self, plan: Plan, people: People, categories: Iterable[Category]) -> None:
        self.plan = plan
        self.people = people
        self.owners = Owners(plan)
        self._filed: dict[str, Row] = {it.slug: {"category_id": it.pk, "category_words": it.words} for it in categories}
        self._kinds = [slug for slug, kind in KINDS.items() if slug in self._filed for _ in range(kind.weight)]

    def service_id(self, number: int) -> str:
        return self.plan.row_id("service", number)

    def terms(self, number: int) -> Terms:
        return self._draw(number)[0]

    def batch(self, numbers: range) -> Batch:
        schedules, services, exceptions = [], [], []
        for number in numbers:
            terms, chance = self._draw(number)
            schedules.append(self._schedule(terms))
            services.append(self._service(terms, chance))
            exceptions += self._exceptions(terms, chance)
        return {Schedule: schedules, Service: services, ScheduleException: exceptions}

    def _draw(self, number: int) -> tuple[Terms, Chance]:
        chance, owner = self.plan.chance("service terms", number), self.owners.of[number]
        place, slug = self.people.place(owner), chance.pick(self._kinds)
        duration = chance.pick(KINDS[slug].durations)
        # Most of a provider's services keep the same hours.
        week = self.plan.roll("week", owner) if chance.happens(0.7) else int(chance.random() * 1000)
        terms = Terms(
            number=number,
            provider=owner,
            place=place,
            category=slug,
            price=_price(chance, place, KINDS[slug].hourly * duration / 60),
            hours=hours_for(duration, week),
            duration=duration,
            buffer_before=chance.pick(BUFFERS),
            buffer_after=chance.pick(BUFFERS),
            interval=chance.pick((15, 30, 30, 60)),
            notice=chance.pick(NOTICES),
            window=chance.pick(WINDOWS),
            policy=chance.pick(POLICIES),
            auto_confirm=chance.happens(0.3),
            created_at=self.plan.joined("service", number, self.plan.services),
        )
        return terms, chance

    def _schedule(self, terms: Terms) -> Row:
        return {
            "id": self.plan.row_id("schedule", terms.number),
            "timezone": terms.place.timezone,
            "windows": terms.hours.stored,
            "duration": terms.duration,
            "buffer_before": terms.buffer_before,
            "buffer_after": terms.buffer_after,
            "slot_interval": terms.interval,
            "minimum_notice": terms.notice,
            "booking_window": terms.window,
        }

    def _service(self, terms: Terms, chance: Chance) -> Row:
        changed = chance.between(terms.created_at, self.plan.end) if chance.happens(0.4) else terms.created_at
        return {
            "id": self.service_id(terms.number),
            "provider_id": self.people.provider_id(terms.provider),
            "price": terms.price,
            "currency": terms.place.currency,
            "schedule_id": self.plan.row_id("schedule", terms.number),
            "cancellation_policy": terms.policy,
            "auto_confirm": terms.auto_confirm,
            "created_at": terms.created_at,
            "updated_at": changed,
            **self._filed[terms.category],
            **_text(terms, chance),
            **self._standing(terms, chance, changed),
        }

    def _standing(self, terms: Terms, chance: Chance, changed: datetime) -> Row:
        """Whether it is listed. A provider's first service always is."""
        fate = chance.random()
        if fate > 0.07 or first_service(self.plan, terms.provider) == terms.number:
            return {"is_active": True}
        return {"is_active": False} if fate > 0.03 else {"deleted_at": changed}

    def _exceptions(self, terms: Terms, chance: Chance) -> list[Row]:
        """A day off, or a short one."""
        if not chance.happens(0.1):
            return []
        day = self.plan.today + timedelta(days=chance.pick(range(*DAYS_OFF)))
        windows = chance.pick(("[]", "[]", '["10:00", "14:00"]'))
        return [{"schedule_id": self.plan.row_id("schedule", terms.number), "date": day, "windows": windows}]


def _price(chance: Chance, place: Place, euros: float) -> Decimal:
    """With the decimals of the currency, as the place's step has them. A few are free."""
    if chance.happens(0.015):
        return place.step * 0
    steps = int(euros * place.rate * (0.7 + 0.8 * chance.random()) / float(place.step))
    return place.step * max(1, steps)


def _text(terms: Terms, chance: Chance) -> Row:
    words = words_of(chance.pick(terms.place.languages))
    city, slug = chance.pick(terms.place.cities), terms.category
    title = chance.pick(words.patterns).format(
        title=chance.pick(words.titles[slug]), city=city, touch=chance.pick(words.touches)
    )
    details = words.details[slug]
    sentences = [chance.pick(words.openings).format(city=city), *details[: 1 + int(chance.random() * len(details))]]
    sentences += [chance.pick(words.closings) for _ in range(1 + chance.few(3))]
    return {"title": title, "description": " ".join(dict.fromkeys(sentences))}
