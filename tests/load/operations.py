"""What the floor's benchmark asks: requests of each kind, that differ, and as many bookings as it takes."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode
from uuid import UUID, uuid4

import orjson
from django.db import connection
from django.db.models import Count
from tests.load.questions import LIST, Catalog, Vocabulary, title_words

from marketplace_accounts import tokens
from marketplace_accounts.models import Session, User
from marketplace_booking.models import Booking
from marketplace_catalog.models import Service
from marketplace_kit.clock import instant, now
from marketplace_notifications.models import Notification

CALLERS = 16  # who book, or look at what is theirs
INBOX = 200  # notifications of each of them
SLOTS = 40  # of one service that are booked at the most


class Request(NamedTuple):
    """One request; `caller` is whom the token speaks for."""

    path: str
    caller: str = ""
    method: str = "GET"
    key: str = ""
    body: str = ""

    def line(self, token: str) -> str:
        """As wrk.lua reads it."""
        return f"{self.method}\t{self.path}\t{token}\t{self.caller}\t{self.key}\t{self.body}"


class Asker:
    """Knows what there is to ask for in the database that is connected to."""

    def __init__(self) -> None:
        self.catalog = Catalog(Vocabulary())
        self._free: Iterator[Request] = self._slots()

    def of_a_list(self) -> list[Request]:
        """A category, prices, and a cursor: from the first pages of it to the last ones."""
        shares, rows = [n / 10 for n in range(1, 10)], Service.objects.listed()
        slugs = [slug for slug in self.catalog.leaves if rows.filter(category__slug=slug).exists()]
        return [Request(self._page(slug, share)) for slug in slugs for share in shares]

    def _page(self, slug: str, share: float) -> str:
        cursor = self.catalog.cursor("newest", share, category__slug=slug)
        return self.catalog.of(category=slug, minPrice=5, maxPrice=9000 + int(share * 1000), cursor=cursor)

    def of_a_search(self) -> list[Request]:
        return [Request(path) for path in title_words(self.catalog)]

    def of_a_service(self) -> list[Request]:
        keys = Service.objects.listed().order_by("title", "id").values_list("pk", flat=True)[:2000]
        return [Request(f"{LIST}/{key}") for key in keys]

    def of_slots(self) -> list[Request]:
        start = datetime.combine(now().date(), time(), UTC)
        month = urlencode({"from": instant(start), "to": instant(start + timedelta(days=31))})
        keys = Service.objects.listed().order_by("title", "id").values_list("pk", flat=True)[:200]
        return [Request(f"{LIST}/{key}/slots?{month}") for key in keys]

    def of_bookings(self) -> list[Request]:
        """Of those providers who have the most."""
        ranked = Booking.objects.values_list("provider").annotate(size=Count("pk")).order_by("-size", "provider")
        paths = [f"/api/v1/bookings?role=provider&sort={sort}" for sort in ("-createdAt", "-scheduledAt")]
        return [Request(path, str(key)) for key, _ in ranked[:CALLERS] for path in paths]

    def of_an_inbox(self) -> list[Request]:
        return [Request("/api/v1/notifications?limit=20", caller) for caller in self._told]

    @cached_property
    def _told(self) -> list[str]:
        callers = self._customers
        at, about = now(), {"bookingId": str(uuid4()), "serviceId": str(uuid4())}
        Notification.objects.bulk_create(
            Notification(
                user_id=caller,
                type="booking.confirmed",
                title=f"Your booking is confirmed: number {number}",
                body="It was confirmed for Monday, 23 November 2026, 09:00 (Europe/Berlin), 60 minutes, 50.00 EUR.",
                data=about,
                in_app=True,
                created_at=at - timedelta(minutes=number),
            )
            for caller in callers
            for number in range(INBOX)
        )
        return callers

    @cached_property
    def _customers(self) -> list[str]:
        rows = User.objects.filter(role="customer", is_active=True).order_by("pk")
        return [str(key) for key in rows.values_list("pk", flat=True)[:CALLERS]]

    def bookings(self, count: int) -> list[Request]:
        """Requests for slots that nobody was asked for before; AssertionError where the catalog has no more."""
        made = [*islice(self._free, count)]
        assert made, "The catalog is too small: there are no free slots left."
        return made

    def give_back(self, unused: list[Request]) -> None:
        """Requests that were not sent."""
        self._free = chain(unused, self._free)

    def _slots(self) -> Iterator[Request]:
        """One slot after the other of many providers, so that those who book at once meet seldom."""
        rows = Service.objects.listed().filter(auto_confirm=False).select_related("schedule")
        chosen = rows.order_by("provider", "id").distinct("provider")
        numbers, callers = range(64), self._customers
        services = list(chosen.iterator(chunk_size=64))
        for first in range(0, len(services), len(numbers)):
            free = [apart(service) for service in services[first : first + len(numbers)]]
            for number in range(SLOTS):
                for place, (service, starts) in enumerate(free):
                    if number < len(starts):
                        body = {"serviceId": str(service.pk), "scheduledAt": instant(starts[number])}
                        caller = callers[place % len(callers)]
                        yield Request("/api/v1/bookings", caller, "POST", uuid4().hex, orjson.dumps(body).decode())


def apart(service: Service) -> tuple[Service, list[datetime]]:
    """The service, and starts from the third day on that can all be booked."""
    schedule, chosen = service.schedule, list[datetime]()
    step = timedelta(minutes=schedule.duration + schedule.buffer_before + schedule.buffer_after)
    for start, _ in service.free_slots(now() + timedelta(days=3), now() + timedelta(days=31)):
        if not chosen or start >= chosen[-1] + step:
            chosen.append(start)
    return service, chosen[:SLOTS]


def tokens_of(callers: set[str]) -> dict[str, str]:
    """An access token for each, good for 15 minutes from now."""
    jti, ends = tokens.new_jti(), now() + tokens.REFRESH_LIFETIME
    sessions = Session.objects.bulk_create(
        Session(user_id=caller, refresh_hash=tokens.hashed(jti), expires_at=ends) for caller in callers if caller
    )
    return {str(one.user_id): tokens.issue(one.pk, one.user_id, jti).access for one in sessions} | {"": ""}


class Goal(NamedTuple):
    """What is aimed at with one worker and 16 connections, while no kept body answers."""

    ratio: float = 0.0  # of the floor's requests a second
    rate: float = 0.0
    p99: float = 0.0  # milliseconds

    def __str__(self) -> str:
        if self.rate:
            return f"{self.rate:.0f}/s, p99 < {self.p99:.0f} ms"
        return f"{self.ratio:.2f}" if self.ratio else ""


class Operation(NamedTuple):
    name: str
    ask: Callable[[Asker], list[Request]]
    goal: Goal = Goal()
    is_kept: bool = False  # by the public cache, for those without a token
    is_noted: bool = False  # the floor runs the system's statements


BOOK = "create a booking"
OPERATIONS = (
    Operation("list: a category, prices, deep cursor", Asker.of_a_list, Goal(ratio=0.45), is_kept=True),
    Operation("search: two words", Asker.of_a_search, Goal(ratio=0.6), is_kept=True, is_noted=True),
    Operation("one service", Asker.of_a_service, Goal(ratio=0.35), is_kept=True),
    Operation("slots of a month", Asker.of_slots, Goal(rate=300, p99=60), is_noted=True),
    Operation("bookings of a busy provider", Asker.of_bookings),
    Operation("inbox", Asker.of_an_inbox),
    Operation(BOOK, lambda asker: [], Goal(ratio=0.35)),
)


def noted(requests: list[Request], get: Callable[[str], bytes]) -> dict[str, Any]:
    """For each question the statements that the system finds its answer by, and at the end that answer, or its keys."""
    notes: dict[str, Any] = {}
    for request in requests:
        queries: list[tuple[str, Any]] = []
        with connection.execute_wrapper(_noting(queries)):
            answer = orjson.loads(get(request.path))
        if "?q=" in request.path:
            # Behind finding: what is found, with all that it shows. The floor asks for that itself.
            [words] = parse_qs(request.path.partition("?")[2])["q"]
            notes[f"{LIST}?q={words}"] = [*queries[:-1], ("", [UUID(item["id"]) for item in answer["items"]])]
        else:
            notes[request.path.partition("?")[0]] = [*queries, ("", answer)]
    return notes


def _noting(queries: list[tuple[str, Any]]) -> Callable[..., Any]:
    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        queries.append((sql, params))
        return execute(sql, params, many, context)

    return note
