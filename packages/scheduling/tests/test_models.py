"""Tables, constraints and queries."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test.utils import CaptureQueriesContext
from tests.people.models import Person

from marketplace_kit import clock
from marketplace_scheduling.models import RANGES, Reservation, Schedule, ScheduleException
from marketplace_scheduling.slots import Slot, Span
from marketplace_scheduling.testing import every_day, make_reservation, make_schedule

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    pass


def refused(constraint: str, store: Callable[[], Any]) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        store()


def test_migrations_are_complete() -> None:
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO())


class TestConstraints:
    @pytest.mark.parametrize("field", RANGES)
    def test_numbers_have_ranges(self, field: str) -> None:
        smallest, largest = RANGES[field]
        for fine in (smallest, largest):
            assert getattr(make_schedule(**{field: fine}), field) == fine
        for wrong in (smallest - 1, largest + 1):
            refused(f"marketplace_scheduling_{field}", lambda wrong=wrong: make_schedule(**{field: wrong}))

    def test_a_date_has_one_exception(self) -> None:
        schedule = make_schedule()
        schedule.exceptions.create(date=date(2026, 6, 10), windows=[])
        refused("one_exception_a_date", lambda: schedule.exceptions.create(date=date(2026, 6, 10), windows=[]))
        make_schedule().exceptions.create(date=date(2026, 6, 10), windows=[])

    def test_blocks_of_a_provider_never_overlap(self, provider: Person, other_provider: Person, now: datetime) -> None:
        make_reservation(provider.pk, now)
        refused("no_overlap", lambda: make_reservation(provider.pk, now + timedelta(minutes=59)))
        wide = DateTimeTZRange(now - HOUR, now + 2 * HOUR)
        refused("no_overlap", lambda: make_reservation(provider.pk, now + HOUR, blocked=wide))
        make_reservation(provider.pk, now + HOUR)
        make_reservation(other_provider.pk, now)

    @pytest.mark.parametrize(
        "during",
        [
            DateTimeTZRange(empty=True),
            DateTimeTZRange(datetime(2026, 1, 1, tzinfo=UTC), None),
            DateTimeTZRange(None, datetime(2026, 1, 1, tzinfo=UTC)),
            DateTimeTZRange(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), "[]"),
            DateTimeTZRange(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), "()"),
            DateTimeTZRange(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        ],
        ids=str,
    )
    def test_ranges_are_proper(self, provider: Person, during: DateTimeTZRange) -> None:
        fine = DateTimeTZRange(datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 2, tzinfo=UTC))

        def store(during: DateTimeTZRange, blocked: DateTimeTZRange) -> Callable[[], Any]:
            return lambda: Reservation.objects.create(provider_id=provider.pk, during=during, blocked=blocked)

        refused("proper_ranges", store(during, during))
        refused("proper_ranges", store(during, fine))
        refused("proper_ranges", store(fine, during))
        store(fine, fine)()

    def test_the_block_holds_the_slot(self, provider: Person, now: datetime) -> None:
        later = DateTimeTZRange(now + timedelta(minutes=1), now + 2 * HOUR)
        refused("proper_ranges", lambda: make_reservation(provider.pk, now, blocked=later))

    def test_what_is_firm_does_not_lapse(self, provider: Person, now: datetime) -> None:
        refused("only_the_unconfirmed_lapse", lambda: make_reservation(provider.pk, now, lapsed=True))
        make_reservation(provider.pk, now, lapsed=True, expires_at=now)
        make_reservation(provider.pk, now)


class TestFreeSlots:
    def test_a_morning(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule(timezone="Europe/Berlin", windows={"wednesday": ["09:00", "11:00"]})
        with clock.frozen(now):
            slots = schedule.free_slots(provider.pk, now, now + timedelta(days=7))
        nine = datetime(2026, 6, 10, 7, 0, tzinfo=UTC)
        assert slots == [Slot(nine + n * HOUR / 2, nine + n * HOUR / 2 + HOUR) for n in range(3)]
        assert all(moment.tzinfo is UTC for slot in slots for moment in slot)

    def test_the_span_is_half_open_and_of_starts(self, provider: Person, now: datetime) -> None:
        starts = [s for s, _ in make_schedule().free_slots(provider.pk, now + HOUR, now + 2 * HOUR, now=now)]
        assert starts == [now + HOUR, now + 1.5 * HOUR]

    def test_any_zone_and_the_ends_of_time_can_be_asked_for(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule(minimum_notice=90, booking_window=1)
        first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        slots = schedule.free_slots(provider.pk, first, last, now=now)
        assert slots[0].start == now + 1.5 * HOUR
        assert slots[-1].start == now + timedelta(days=1)
        assert schedule.free_slots(provider.pk, last, last, now=now) == []
        assert schedule.free_slots(provider.pk, last, first, now=now) == []
        assert schedule.free_slots(provider.pk, first, now, now=now) == []

    def test_what_starts_now_has_started(self, provider: Person, now: datetime) -> None:
        assert make_schedule().free_slots(provider.pk, now, now + HOUR, now=now)[0].start == now + HOUR / 2

    def test_reservations_of_all_services_block(self, provider: Person, other_provider: Person, now: datetime) -> None:
        schedule = make_schedule(buffer_before=30)
        make_reservation(provider.pk, now + HOUR)
        make_reservation(other_provider.pk, now + 3 * HOUR)
        starts = [s for s, _ in schedule.free_slots(provider.pk, now, now + 4 * HOUR, now=now - HOUR)]
        assert starts == [now, *(now + HOUR * n for n in (2.5, 3, 3.5))]

    def test_what_lies_beside_the_span_blocks_by_its_buffers(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule(buffer_before=30, buffer_after=30)
        for hours in (1, 5.75):
            make_reservation(provider.pk, now + hours * HOUR)
        starts = [s for s, _ in schedule.free_slots(provider.pk, now + 2 * HOUR, now + 4.6 * HOUR, now=now)]
        assert starts == [now + hours * HOUR for hours in (2.5, 3, 3.5, 4)]

    def test_a_reservation_that_expired_blocks_nothing(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule()
        make_reservation(provider.pk, now + HOUR, expires_at=now)
        at, before = now + HOUR, now - timedelta(microseconds=1)
        assert schedule.free_slots(provider.pk, at, at + HOUR / 2, now=before) == []
        assert len(schedule.free_slots(provider.pk, at, at + HOUR / 2, now=now)) == 1
        assert schedule.explain(provider.pk, at, now=before) == ["reserved"]
        assert schedule.explain(provider.pk, at, now=now) == []

    def test_one_query_whatever_the_span(
        self, provider: Person, now: datetime, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        schedule = make_schedule(slot_interval=5)
        for n in range(50):
            make_reservation(provider.pk, now + 10 * n * HOUR)
            ScheduleException.objects.create(schedule=schedule, date=now.date() + timedelta(days=n), windows=[])
        for days in (1, 31):
            with django_assert_num_queries(1):
                schedule.free_slots(provider.pk, now, now + timedelta(days=days), now=now)

    def test_the_constraint_s_index_serves_both_conditions(self, now: datetime) -> None:
        """An integer key of another size than the column's kept the provider out of the index: 27 ms instead of 0.1."""
        people = Person.objects.bulk_create(Person(name=f"Ada {n}") for n in range(40))
        for n in range(1000):
            make_reservation(people[n % 40].pk, now + n * HOUR)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        one = Reservation.objects.blocking(people[0].pk, now, now + 300 * HOUR, now).explain()
        pair = {people[1].pk, people[2].pk}
        with CaptureQueriesContext(connection) as queries:
            Reservation.objects.blocked_by_provider(pair, now, now + 300 * HOUR, now)
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {queries[0]['sql']}")
                two = "\n".join(line for (line,) in cursor.fetchall())
        for plan, comparison in ((one, "provider_id = "), (two, "provider_id = ANY")):
            assert "marketplace_scheduling_no_overlap" in plan
            assert f"Index Cond: (({comparison}" in plan


class TestExplain:
    @pytest.fixture
    def schedule(self) -> Schedule:
        """Berlin's clocks go on at 02:00 on 29 March, and back at 03:00 on 25 October."""
        return make_schedule(timezone="Europe/Berlin", windows=every_day("00:00", "12:00"), booking_window=365)

    def test_reasons(self, provider: Person, schedule: Schedule, now: datetime) -> None:
        ten = datetime(2026, 6, 12, 8, tzinfo=UTC)
        make_reservation(provider.pk, ten, blocked=DateTimeTZRange(ten - HOUR, ten + HOUR))
        schedule.exceptions.create(date=date(2026, 6, 13), windows=["08:00", "09:00"])

        def why(text: str, **at: datetime) -> list[str]:
            return schedule.explain(provider.pk, datetime.fromisoformat(text), now=at.get("now", now))

        assert why("2026-06-12T07:00Z") == ["buffer"]
        assert why("2026-06-12T10:30+02:00") == ["reserved"]
        assert why("2026-06-12T10:31") == ["off_interval", "reserved"]
        assert why("2026-06-12T11:00") == []
        assert why("2026-06-12T11:30") == ["outside_hours"]
        assert why("2026-06-13T08:00") == []
        assert why("2026-06-13T08:30") == ["closed_by_exception"]
        assert why("2027-03-28T02:30") == ["in_gap"]
        assert why("2026-06-10T08:00") == ["too_soon"]
        assert why("2027-06-10T08:00") == []
        assert why("2027-06-10T08:30") == ["too_far"]
        assert why("2027-06-10T12:30") == ["outside_hours", "too_far"]

    def test_a_wall_clock_in_a_fold_is_the_first(self, provider: Person, schedule: Schedule) -> None:
        first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        make_reservation(provider.pk, first)
        now = first - timedelta(days=1)
        assert schedule.explain(provider.pk, datetime.fromisoformat("2026-10-25T02:30"), now=now) == ["reserved"]
        assert schedule.explain(provider.pk, first + HOUR, now=now) == []

    @pytest.mark.parametrize("tzinfo", [None, UTC])
    def test_the_ends_of_time(self, provider: Person, schedule: Schedule, tzinfo: Any) -> None:
        assert schedule.explain(provider.pk, datetime.min.replace(tzinfo=tzinfo)) == ["too_soon"]
        assert schedule.explain(provider.pk, datetime.max.replace(tzinfo=tzinfo)) == ["too_far"]
        near = [datetime(2, 1, 1, tzinfo=tzinfo), datetime(9998, 12, 31, 23, 59, tzinfo=tzinfo)]
        assert [schedule.explain(provider.pk, start)[-1] for start in near] == ["too_soon", "too_far"]

    def test_two_queries(
        self, provider: Person, schedule: Schedule, now: datetime, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        with django_assert_num_queries(2):
            schedule.explain(provider.pk, now)


class TestSearch:
    def test_it_agrees_with_the_lists(self, provider: Person, other_provider: Person, now: datetime) -> None:
        noon = now.replace(hour=12)
        schedules = {
            "open": make_schedule(),
            "elsewhere": make_schedule(timezone="Asia/Tokyo", windows=every_day("09:00", "17:00")),
            "closed today": make_schedule(),
            "open today": make_schedule(windows={}),
            "too long": make_schedule(duration=120),
            "buffered": make_schedule(buffer_after=60),
            "prepared": make_schedule(buffer_before=180),
            "notice": make_schedule(minimum_notice=2880),
            "near": make_schedule(booking_window=1),
        }
        schedules["closed today"].exceptions.create(date=noon.date(), windows=[])
        schedules["open today"].exceptions.create(date=noon.date(), windows=["12:00", "13:00"])
        for hours in (-2, 1):
            make_reservation(provider.pk, noon + hours * HOUR)
        make_reservation(other_provider.pk, noon - 3 * HOUR)
        pairs = [(schedule, p.pk) for schedule in schedules.values() for p in (provider, other_provider)]

        def names(start: datetime, end: datetime, provider: Person) -> set[str]:
            chosen = [(schedule, key) for schedule, key in pairs if key == provider.pk]
            found = Schedule.objects.with_free_slot(chosen, start, end, now=now)
            assert found == {s.pk for s, key in chosen if s.free_slots(key, start, end, now=now)}
            return {name for name, schedule in schedules.items() if schedule.pk in found}

        assert names(noon, noon + HOUR, provider) == {"open", "open today", "near"}
        assert names(noon, noon + HOUR, other_provider) == {
            "open", "open today", "too long", "buffered", "near",
        }  # fmt: skip
        tomorrow = noon + timedelta(days=1)
        assert "near" not in names(tomorrow, tomorrow + HOUR, provider)
        assert "elsewhere" in names(noon, noon + timedelta(days=1), provider)
        assert "notice" in names(noon, noon + timedelta(days=3), provider)

    def test_two_queries_for_five_hundred(
        self, provider: Person, now: datetime, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        schedules = Schedule.objects.bulk_create(
            Schedule(timezone="UTC", windows=every_day("09:00", "17:00"), duration=30) for _ in range(500)
        )
        with django_assert_num_queries(2):
            found = Schedule.objects.with_free_slot(
                ((s, provider.pk) for s in schedules), now, now + timedelta(days=31), now=now
            )
        assert len(found) == 500

    def test_none_at_all(self, provider: Person, now: datetime, django_assert_num_queries: Callable[..., Any]) -> None:
        with django_assert_num_queries(0):
            assert Schedule.objects.with_free_slot([], now, now + HOUR) == set()
            assert Schedule.objects.with_free_slot([(Schedule(timezone="UTC", duration=60), 1)], now, now) == set()


def test_what_is_read_is_utc(provider: Person, now: datetime) -> None:
    kept = make_reservation(provider.pk, now)
    kept.refresh_from_db()
    assert kept.spans().during == Span(now, now + HOUR)
    assert kept.spans().blocked.start.tzinfo is UTC
    assert str(kept) == "2026-06-10 06:00Z"
