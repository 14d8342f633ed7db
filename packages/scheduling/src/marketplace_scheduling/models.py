"""Schedules, their exceptions, and the reservations of providers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField
from django.db import models
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Expression, F, Q, Value
from django.db.models.functions import Cast

from marketplace_kit import clock
from marketplace_kit.compiled import Compiled, Later
from marketplace_kit.ids import uuid7

from . import slots
from .slots import Held, Rules, Slot, Span

type UserId = Any  # the key of the host's user model: an integer, a UUID, a text

# The whole numbers of a schedule, smallest and largest; all are minutes but the booking window, which is days.
RANGES = {
    "duration": (5, 1440),
    "buffer_before": (0, 1440),
    "buffer_after": (0, 1440),
    "slot_interval": (5, 1440),
    "minimum_notice": (0, 43200),
    "booking_window": (1, 365),
}


def _in_range(field: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{field}__range": RANGES[field]}), name=f"marketplace_scheduling_{field}"
    )


class _Question(NamedTuple):
    """Has this schedule a free start within the span, its provider's other reservations considered?"""

    schedule_id: UUID
    provider_id: UserId
    rules: Rules
    span: Span


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    def with_free_slot(
        self,
        schedules_and_providers: Iterable[tuple["Schedule", UserId]],
        start: datetime,
        end: datetime,
        *,
        now: datetime | None = None,
    ) -> set[UUID]:
        """The keys of those schedules whose provider could take a start in the span now; two queries for them all."""
        now = now or clock.now()
        questions = [
            _Question(schedule.pk, provider_id, rules, span)
            for schedule, provider_id in schedules_and_providers
            if (span := _reach(rules := schedule.rules(), start, end, now))
        ]
        return _answer(questions, now) if questions else set()


def _answer(questions: Sequence[_Question], now: datetime) -> set[UUID]:
    dates = _hull([asked.rules.dates(asked.span) for asked in questions])
    watched = _hull([asked.rules.watched(asked.span) for asked in questions])
    exceptions = ScheduleException.objects.by_schedule([asked.schedule_id for asked in questions], dates)
    blocked = Reservation.objects.blocked_by_provider({asked.provider_id for asked in questions}, *watched, now)
    return {
        key
        for key, provider_id, rules, span in questions
        if any(True for _ in slots.free_starts(rules, span, exceptions[key], blocked[str(provider_id)]))
    }


def _hull[T: (date, datetime)](spans: Sequence[tuple[T, T]]) -> tuple[T, T]:
    """From the first start to the last end."""
    return min(start for start, _ in spans), max(end for _, end in spans)


class Schedule(models.Model):
    """When something can be had: hours of the week in a time zone, the length of a slot, and what is asked around it.

    Whoever has one points to it; it knows neither its owner nor its provider.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    timezone = models.CharField(max_length=64)
    windows = models.JSONField(default=dict)
    duration = models.SmallIntegerField()
    buffer_before = models.SmallIntegerField(default=0)
    buffer_after = models.SmallIntegerField(default=0)
    slot_interval = models.SmallIntegerField(default=30)
    minimum_notice = models.IntegerField(default=0)
    booking_window = models.SmallIntegerField(default=60)

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        constraints = [_in_range(field) for field in RANGES]

    def __str__(self) -> str:
        return f"{self.duration} min, {self.timezone}"

    @staticmethod
    def check_windows(windows: dict[str, list[str]]) -> None:
        """Raises InvalidWindows (a ValueError with `faults`) unless these are the hours of a week."""
        slots.parse_weekly(windows)

    @staticmethod
    def knows_timezone(name: str) -> bool:
        """Whether `name` is a time zone of the IANA database, such as `Europe/Berlin`."""
        return slots.is_timezone(name)

    def rules(self) -> Rules:
        return Rules(
            timezone=self.timezone,
            weekly=slots.parse_weekly(self.windows),
            duration=timedelta(minutes=self.duration),
            buffer_before=timedelta(minutes=self.buffer_before),
            buffer_after=timedelta(minutes=self.buffer_after),
            interval=timedelta(minutes=self.slot_interval),
            notice=timedelta(minutes=self.minimum_notice),
            horizon=timedelta(days=self.booking_window),
        )

    def free_slots(
        self, provider_id: UserId, start: datetime, end: datetime, *, now: datetime | None = None
    ) -> list[Slot]:
        """Every slot that starts in the span and that `reserve` would take now, ascending; one query."""
        length = timedelta(minutes=self.duration)
        return [Slot(at, at + length) for at in self.free_starts(provider_id, start, end, now=now)]

    def free_starts(
        self, provider_id: UserId, start: datetime, end: datetime, *, now: datetime | None = None
    ) -> list[datetime]:
        """Where those slots start."""
        now, rules = now or clock.now(), self.rules()
        span = _reach(rules, start, end, now)
        if span is None:
            return []
        exceptions, blocked = self.hindrances(provider_id, rules.dates(span), rules.watched(span), now)
        return list(slots.free_starts(rules, span, exceptions, blocked))

    def explain(self, provider_id: UserId, start: datetime, *, now: datetime | None = None) -> list[str]:
        """Why `start` can't be had: `outside_hours`, `closed_by_exception`, `in_gap`, `off_interval`, `reserved`,
        `buffer`, `too_soon`, `too_far`; empty where it can. A naive `start` is the schedule's wall clock."""
        if start.year in _ENDS_OF_TIME:
            return [_ENDS_OF_TIME[start.year]]
        at = slots.wall_moment(self.timezone, start) if start.tzinfo is None else start.astimezone(UTC)
        if at is None:
            return ["in_gap"]
        now, rules = now or clock.now(), self.rules()
        exceptions = self.exceptions_within(rules.dates(Span(at, at)))
        held = Reservation.objects.blocking(provider_id, *rules.block(at), now).held()
        return list(slots.reasons(rules, at, now, exceptions, held))

    def hindrances(
        self, provider_id: UserId, dates: tuple[date, date], watched: Span, now: datetime
    ) -> tuple[slots.Exceptions, list[Span]]:
        """The hours of the exceptions from the first up to and with the second date, and what is blocked of the span.

        One query: asked for with every list of slots, and for every slot that is taken.
        """
        first, last = dates
        days = {"schedule": self.pk, "first": first, "last": last}
        times = {"provider": provider_id, "span": DateTimeTZRange(*watched), "now": now}
        exceptions, blocked = {}, []
        for day, windows, start, end in HINDRANCES.rows(None, {**days, **times}):
            if day is None:
                blocked.append(Span(start.astimezone(UTC), end.astimezone(UTC)))
            else:
                exceptions[day] = slots.parse_hours(windows)
        return exceptions, blocked

    def exceptions_within(self, dates: tuple[date, date]) -> slots.Exceptions:
        """The hours of the dated exceptions from the first up to and with the second date."""
        return ScheduleException.objects.by_schedule([self.pk], dates)[self.pk]


# Where a conversion between zones would leave the calendar; both lie beyond every notice and booking window.
_ENDS_OF_TIME = {1: "too_soon", 9999: "too_far"}


def _reach(rules: Rules, start: datetime, end: datetime, now: datetime) -> Span | None:
    """What of the span can be booked at all at `now`, in UTC; None where nothing can."""
    span = rules.within_reach(start, end, now)
    return Span(span.start.astimezone(UTC), span.end.astimezone(UTC)) if span.start < span.end else None


class ScheduleExceptionQuerySet(models.QuerySet["ScheduleException"]):
    def by_schedule(
        self, schedule_ids: Sequence[UUID], dates: tuple[date, date]
    ) -> dict[UUID, dict[date, slots.Hours]]:
        """For each of the schedules its exceptions from the first up to and with the second date."""
        found: dict[UUID, dict[date, slots.Hours]] = {key: {} for key in schedule_ids}
        first, last = dates
        for schedule_id, day, windows in DATED.rows(None, {"keys": list(found), "first": first, "last": last}):
            found[schedule_id][day] = slots.parse_hours(windows)
        return found

    def within(self, first: date, last: date) -> Self:
        return self.filter(date__gte=first, date__lte=last)


def _dated(how: None, values: Mapping[str, Any]) -> models.QuerySet[Any, Any]:
    rows = ScheduleException.objects.filter(schedule__id__any_of=values["keys"])
    return rows.within(values["first"], values["last"]).values_list("schedule_id", "date", "windows")


DATED = Compiled(_dated, prepared=True)


class ScheduleException(models.Model):
    """The hours of one local date, in place of those of its weekday; none at all close it."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="exceptions", db_index=False)
    date = models.DateField()
    windows = models.JSONField(default=list)

    objects = ScheduleExceptionQuerySet.as_manager()

    class Meta:
        ordering = ["date"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "date"], name="marketplace_scheduling_one_exception_a_date"),
        ]

    def __str__(self) -> str:
        return f"{self.date}: {' '.join(self.windows) or 'closed'}"

    @staticmethod
    def check_windows(windows: list[str]) -> None:
        """Raises InvalidWindows (a ValueError with `faults`) unless these are the hours of a date."""
        slots.parse_hours(windows)


class ReservationQuerySet(models.QuerySet["Reservation"]):
    def overlapping(self, provider_id: UserId, start: datetime, end: datetime) -> "ReservationQuerySet":
        """Those of a provider, lapsed ones aside, whose time with buffers meets the span."""
        return self.meeting(Value(provider_id), DateTimeTZRange(start, end))

    def meeting(self, provider_id: Expression, span: DateTimeTZRange | Expression) -> "ReservationQuerySet":
        """The same for a span that is a range."""
        # Without the cast an integer is compared as int4 with int8, for which a GiST index has no operator.
        key = Cast(provider_id, output_field=self.model._meta.get_field("provider"))
        return self.filter(provider_id=key, lapsed=False, blocked__overlap=span)

    def standing(self, now: datetime) -> "ReservationQuerySet":
        """Without those that were not made firm in time."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), lapsed=False)

    def blocking(self, provider_id: UserId, start: datetime, end: datetime, now: datetime) -> "ReservationQuerySet":
        """What keeps a provider from being booked somewhere within the span."""
        return self.overlapping(provider_id, start, end).standing(now)

    def blocked_spans(self) -> list[Span]:
        return _spans(self.values_list("blocked__startswith", "blocked__endswith"))

    def held(self) -> list[Held]:
        return [Held(_span(during), _span(blocked)) for during, blocked in self.values_list("during", "blocked")]

    def blocked_by_provider(
        self, provider_ids: Iterable[UserId], start: datetime, end: datetime, now: datetime
    ) -> dict[str, list[Span]]:
        """The blocked time of many providers in one query, by their key as text."""
        rows = self.filter(provider_id__in=provider_ids, blocked__overlap=DateTimeTZRange(start, end)).standing(now)
        found: dict[str, list[Span]] = defaultdict(list)
        for key, begins, ends in rows.values_list("provider_id", "blocked__startswith", "blocked__endswith"):
            found[str(key)].append(Span(begins.astimezone(UTC), ends.astimezone(UTC)))
        return found

    def lapse(self, provider_id: UserId, span: Span, now: datetime) -> int:
        """Take what was not made firm in time out of the way. Rows stay, for whoever points to them."""
        expired = self.overlapping(provider_id, *span).filter(expires_at__lte=now)
        return expired.update(lapsed=True)


def _hindrances(how: None, values: Mapping[str, Any]) -> models.QuerySet[Any, Any]:
    """Rows of (date, windows, None, None) for exceptions, and of (None, None, start, end) for what is blocked."""
    none = Value(None, output_field=models.TextField())
    days = ScheduleException.objects.filter(schedule=values["schedule"]).within(values["first"], values["last"])
    provider = values["provider"]
    key = provider if isinstance(provider, Later) else Value(provider)
    times = Reservation.objects.meeting(key, values["span"]).standing(values["now"])
    dated = days.order_by().values_list("date", "windows", none, none)
    return dated.union(times.values_list(none, none, "blocked__startswith", "blocked__endswith"), all=True).order_by()


HINDRANCES = Compiled(_hindrances, prepared=True)


def _spans(rows: Iterable[tuple[datetime, datetime]]) -> list[Span]:
    return [Span(start.astimezone(UTC), end.astimezone(UTC)) for start, end in rows]


def _span(stored: DateTimeTZRange) -> Span:
    return Span(stored.lower.astimezone(UTC), stored.upper.astimezone(UTC))


def _proper(field: str) -> Q:
    """An empty range meets nothing, and an open end would block for ever."""
    wanted = {"isempty": False, "lower_inc": True, "upper_inc": False, "lower_inf": False, "upper_inf": False}
    return Q(**{f"{field}__{lookup}": value for lookup, value in wanted.items()})


class Reservation(models.Model):
    """Time of a provider that nobody else can have. One that `expires_at` blocks nothing from that moment on."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Without an index of its own: the constraint's begins with the provider. What must outlive a user protects itself.
    provider = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    during = DateTimeRangeField()
    blocked = DateTimeRangeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    # A constraint's condition can't ask the clock: the next taker sets this, under the provider's lock.
    lapsed = models.BooleanField(default=False)

    objects = ReservationQuerySet.as_manager()

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="marketplace_scheduling_no_overlap",
                expressions=[(F("provider"), "="), (F("blocked"), "&&")],
                condition=Q(lapsed=False),
            ),
            models.CheckConstraint(
                condition=_proper("during") & _proper("blocked") & Q(blocked__contains=F("during")),
                name="marketplace_scheduling_proper_ranges",
            ),
            models.CheckConstraint(
                condition=Q(lapsed=False) | Q(expires_at__isnull=False),
                name="marketplace_scheduling_only_the_unconfirmed_lapse",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.during.lower:%Y-%m-%d %H:%M}Z"

    def spans(self) -> Held:
        """The slot, and the slot with its buffers, in UTC."""
        return Held(_span(self.during), _span(self.blocked))

    def is_standing(self, now: datetime) -> bool:
        return not self.lapsed and (self.expires_at is None or self.expires_at > now)

    def as_booked(self, rules: Rules) -> Rules:
        """`rules` with the duration and the buffers that this reservation was taken with."""
        during, blocked = self.spans()
        return replace(
            rules,
            duration=during.end - during.start,
            buffer_before=during.start - blocked.start,
            buffer_after=blocked.end - during.end,
        )
