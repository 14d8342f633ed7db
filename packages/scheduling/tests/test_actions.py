"""The verbs, one at a time."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from tests.people.models import Person

from marketplace_kit import clock
from marketplace_kit.exceptions import InvalidField
from marketplace_scheduling import actions
from marketplace_scheduling.exceptions import ReservationLapsed, SlotUnavailable, StartOutOfReach, TooManyExceptions
from marketplace_scheduling.models import Reservation, Schedule
from marketplace_scheduling.slots import Held, Span
from marketplace_scheduling.testing import every_day, make_reservation, make_schedule

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _stopped_clock(db: None, now: datetime) -> Iterator[None]:
    with clock.frozen(now):
        yield


class TestReserve:
    def test_it_holds_the_slot_and_its_buffers(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule(buffer_before=10, buffer_after=20)
        reservation = actions.reserve(schedule, provider.pk, now + HOUR)
        stored = Reservation.objects.get()
        assert stored == reservation
        held = Held(Span(now + HOUR, now + 2 * HOUR), Span(now + 50 * MINUTE, now + 140 * MINUTE))
        assert stored.spans() == reservation.spans() == held
        assert (stored.provider_id, stored.expires_at, stored.lapsed) == (provider.pk, None, False)

    @pytest.mark.parametrize(
        ("after", "code"),
        [
            (timedelta(0), "in_the_past"),
            (-HOUR, "in_the_past"),
            (HOUR, "too_soon"),
            (2 * HOUR - MINUTE, "too_soon"),
            (2 * DAY + MINUTE, "too_far"),
            (3 * DAY, "too_far"),
        ],
    )
    def test_out_of_reach(self, provider: Person, now: datetime, after: timedelta, code: str) -> None:
        schedule = make_schedule(minimum_notice=120, booking_window=2)
        with pytest.raises(StartOutOfReach) as caught:
            actions.reserve(schedule, provider.pk, now + after)
        assert caught.value.status == 422
        assert [(e["pointer"], e["code"]) for e in caught.value.errors] == [("/scheduledAt", code)]

    @pytest.mark.parametrize("year", [1, 9999])
    @pytest.mark.parametrize("offset", [-14, 14])
    def test_the_ends_of_time(self, provider: Person, year: int, offset: int) -> None:
        start = datetime.fromisoformat(f"{year:04}-{'01-01T00:00' if year == 1 else '12-31T23:59'}{offset:+03}:00")
        with pytest.raises(StartOutOfReach):
            actions.reserve(make_schedule(), provider.pk, start)

    def test_the_edges_of_reach_can_be_had(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule(minimum_notice=120, booking_window=2)
        edges = [now + 2 * HOUR, now + 2 * DAY]
        assert [actions.reserve(schedule, provider.pk, edge).during.lower for edge in edges] == edges

    @pytest.mark.parametrize("after", [HOUR, 1.5 * HOUR, 2.5 * HOUR, 61 * MINUTE, 3 * HOUR + timedelta(microseconds=1)])
    def test_taken_or_off_the_grid(self, provider: Person, now: datetime, after: timedelta) -> None:
        make_reservation(provider.pk, now + 90 * MINUTE, minutes=70)
        with pytest.raises(SlotUnavailable) as caught:
            actions.reserve(make_schedule(), provider.pk, now + after)
        assert (caught.value.status, caught.value.code) == (409, "slot_unavailable")

    def test_offsets_are_only_notation(self, provider: Person, now: datetime) -> None:
        at = (now + HOUR).astimezone(datetime.fromisoformat("2026-01-01T00:00+05:45").tzinfo)
        assert actions.reserve(make_schedule(), provider.pk, at).spans().during.start == now + HOUR

    def test_an_hour_is_sixty_minutes_where_the_clock_is_put_back(self, provider: Person) -> None:
        start = datetime.fromisoformat("2026-11-01T00:30").replace(tzinfo=ZoneInfo("America/New_York"))
        schedule = make_schedule(timezone="America/New_York", duration=120)
        with clock.frozen(start - DAY):
            during, _ = actions.reserve(schedule, provider.pk, start).spans()
        assert during == Span(datetime(2026, 11, 1, 4, 30, tzinfo=UTC), datetime(2026, 11, 1, 6, 30, tzinfo=UTC))

    def test_an_expired_one_is_swept_aside(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule(booking_window=2)
        old = [make_reservation(provider.pk, now + at * HOUR, expires_at=now) for at in (1, 2)]
        new = actions.reserve(make_schedule(duration=120), provider.pk, now + HOUR)
        assert set(Reservation.objects.filter(lapsed=True)) == set(old)
        assert list(Reservation.objects.standing(now)) == [new]
        with pytest.raises(SlotUnavailable):
            actions.reserve(schedule, provider.pk, now + HOUR)

    def test_one_that_expires_later_blocks(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule()
        actions.reserve(schedule, provider.pk, now + HOUR, expires_at=now + HOUR)
        with clock.frozen(now + HOUR - MINUTE), pytest.raises(SlotUnavailable):
            actions.reserve(schedule, provider.pk, now + HOUR)

    def test_few_round_trips(
        self, provider: Person, now: datetime, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        schedule = make_schedule()
        with django_assert_num_queries(5) as queries:  # in a savepoint: lock, what is in its way, insert
            actions.reserve(schedule, provider.pk, now + HOUR)
        assert [q["sql"].split()[0] for q in queries][1:-1] == ["SELECT", "(SELECT", "INSERT"]

    def test_a_refusal_leaves_the_transaction_usable(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule()
        actions.reserve(schedule, provider.pk, now + HOUR)
        with transaction.atomic():
            with pytest.raises(SlotUnavailable):
                actions.reserve(schedule, provider.pk, now + HOUR)
            actions.reserve(schedule, provider.pk, now + 2 * HOUR)
        assert Reservation.objects.count() == 2

    def test_what_came_past_the_lock_is_refused_by_the_constraint(
        self, provider: Person, now: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        schedule = make_schedule()
        mine = actions.reserve(schedule, provider.pk, now + 2 * HOUR)
        make_reservation(provider.pk, now + HOUR)
        monkeypatch.setattr(actions, "_check_free", lambda *args, **kwargs: None)
        with pytest.raises(SlotUnavailable):
            actions.reserve(schedule, provider.pk, now + HOUR)
        with pytest.raises(SlotUnavailable):
            actions.move(mine, schedule, now + HOUR)
        assert Reservation.objects.get(pk=mine.pk).spans().during.start == now + 2 * HOUR


class TestTheListTellsTheTruth:
    """Every start that is listed can be taken, and no other: tried at each fifth minute of two days and a half."""

    @pytest.mark.parametrize(
        ("zone", "begin"),
        [
            ("America/New_York", "2026-03-07T12:00Z"),
            ("America/New_York", "2026-10-31T12:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T06:00Z"),
            ("Asia/Kathmandu", "2026-06-10T00:15Z"),
        ],
    )
    def test_by_trying(self, provider: Person, zone: str, begin: str) -> None:
        now = datetime.fromisoformat(begin)
        schedule = make_schedule(
            timezone=zone,
            windows=every_day("00:00", "01:35", "01:45", "06:10", "21:00", "24:00"),
            duration=45,
            slot_interval=20,
            buffer_before=5,
            buffer_after=15,
            minimum_notice=95,
            booking_window=2,
        )
        schedule.exceptions.create(date=now.date() + DAY, windows=["00:00", "08:00", "20:30", "22:00"])
        for hours, minutes in ((7, 30), (16, 95), (20, 5), (33, 60)):
            make_reservation(provider.pk, now + hours * HOUR, minutes=minutes)
        with clock.frozen(now):
            listed = {start for start, _ in schedule.free_slots(provider.pk, now, now + 3 * DAY)}
            asked = [now + n * 5 * MINUTE for n in range(-12, 12 * 60)]
            taken = {start for start in asked if self._can_be_taken(schedule, provider.pk, start)}
            explained = {start for start in asked if not schedule.explain(provider.pk, start)}
        assert len(listed) > 20
        assert taken == listed == explained

    @staticmethod
    def _can_be_taken(schedule: Schedule, provider_id: int, start: datetime) -> bool:
        try:
            with transaction.atomic():
                actions.reserve(schedule, provider_id, start)
                transaction.set_rollback(True)
        except (SlotUnavailable, StartOutOfReach):
            return False
        return True


class TestMove:
    def test_its_own_time_counts_as_free(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule(buffer_after=30)
        reservation = actions.reserve(schedule, provider.pk, now + HOUR, expires_at=now + HOUR)
        moved = actions.move(reservation, schedule, now + 1.5 * HOUR, expires_at=now + 1.5 * HOUR)
        stored = Reservation.objects.get()
        assert stored == moved == reservation
        assert stored.spans() == Held(Span(now + 1.5 * HOUR, now + 2.5 * HOUR), Span(now + 1.5 * HOUR, now + 3 * HOUR))
        assert stored.expires_at == now + 1.5 * HOUR
        assert actions.move(moved, schedule, now + 2 * HOUR).expires_at is None

    def test_others_time_does_not(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule()
        mine = actions.reserve(schedule, provider.pk, now + HOUR)
        actions.reserve(schedule, provider.pk, now + 2 * HOUR)
        with pytest.raises(SlotUnavailable):
            actions.move(mine, schedule, now + 1.5 * HOUR)
        assert Reservation.objects.get(pk=mine.pk).spans().during.start == now + HOUR

    def test_duration_and_buffers_as_booked_and_the_rest_as_it_is_now(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule(buffer_before=15, buffer_after=30)
        reservation = actions.reserve(schedule, provider.pk, now + HOUR)
        actions.change_schedule(
            schedule,
            windows=every_day("08:00", "09:30", "12:20", "14:00"),
            duration=30,
            buffer_before=0,
            buffer_after=0,
            slot_interval=20,
            minimum_notice=180,
            booking_window=1,
        )

        def move(clock_time: str, days: int = 0) -> Held:
            start = datetime.fromisoformat(f"{now.date() + days * DAY}T{clock_time}Z")
            return actions.move(reservation, schedule, start).spans()

        assert move("12:40").during == Span(now.replace(hour=12, minute=40), now.replace(hour=13, minute=40))
        assert move("13:00").blocked == Span(now.replace(hour=12, minute=45), now.replace(hour=14, minute=30))
        for off_grid_or_too_long in ("12:30", "13:20"):
            with pytest.raises(SlotUnavailable):
                move(off_grid_or_too_long)
        for beyond, days in (("08:00", 0), ("08:00", 1)):
            with pytest.raises(StartOutOfReach):
                move(beyond, days)

    def test_what_lapsed_in_its_way_is_swept_aside(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule()
        mine = actions.reserve(schedule, provider.pk, now + HOUR)
        make_reservation(provider.pk, now + 2 * HOUR, expires_at=now)
        assert actions.move(mine, schedule, now + 2 * HOUR).spans().during.start == now + 2 * HOUR

    def test_what_lapsed_or_is_gone_can_t_be_moved(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule()
        late = make_reservation(provider.pk, now, expires_at=now)
        gone = make_reservation(provider.pk, now + 5 * HOUR)
        actions.release(gone.pk)
        for reservation in (late, gone):
            with pytest.raises(ReservationLapsed):
                actions.move(reservation, schedule, now + 2 * HOUR)


class TestFirmAndRelease:
    def test_firm(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule()
        reservation = actions.reserve(schedule, provider.pk, now + 2 * HOUR, expires_at=now + HOUR)
        actions.make_firm(reservation.pk)
        actions.make_firm(reservation.pk)
        with clock.frozen(now + HOUR), pytest.raises(SlotUnavailable):
            actions.reserve(schedule, provider.pk, now + 2 * HOUR)

    def test_too_late(self, provider: Person, now: datetime) -> None:
        reservation = make_reservation(provider.pk, now, expires_at=now)
        with pytest.raises(ReservationLapsed):
            actions.make_firm(reservation.pk)
        with pytest.raises(ReservationLapsed):
            actions.make_firm(UUID(int=0))

    def test_lapsed_ones_stay_lapsed(self, provider: Person, now: datetime) -> None:
        reservation = make_reservation(provider.pk, now + HOUR, expires_at=now, lapsed=True)
        with clock.frozen(now - HOUR), pytest.raises(ReservationLapsed):
            actions.make_firm(reservation.pk)

    def test_release(self, provider: Person, now: datetime) -> None:
        schedule = make_schedule()
        reservation = actions.reserve(schedule, provider.pk, now + HOUR)
        actions.release(reservation.pk)
        actions.release(reservation.pk)
        again = actions.reserve(schedule, provider.pk, now + HOUR)
        assert [one.pk for one in Reservation.objects.all()] == [again.pk]


class TestSchedules:
    def test_create_and_change(self) -> None:
        schedule = actions.create_schedule(
            timezone="Europe/Berlin", windows={"monday": ["09:00", "17:00"]}, duration=45, buffer_after=15
        )
        stored = Schedule.objects.get()
        assert (stored.timezone, stored.duration, stored.buffer_after, stored.slot_interval) == (
            "Europe/Berlin", 45, 15, 30,
        )  # fmt: skip
        actions.change_schedule(schedule, windows={}, duration=30)
        stored.refresh_from_db()
        assert (stored.windows, stored.duration, stored.buffer_after) == ({}, 30, 15)

    @pytest.mark.parametrize(
        ("fields", "pointer"),
        [
            ({"timezone": "Mars/Olympus"}, "/timezone"),
            ({"windows": {"monday": ["09:00", "08:00"]}}, "/availability/monday/1"),
            ({"windows": {"Monday": []}}, "/availability/Monday"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, fields: dict[str, Any], pointer: str) -> None:
        fine = {"timezone": "UTC", "windows": {}, "duration": 60}
        for verb in (
            lambda: actions.create_schedule(**(fine | fields)),
            lambda: actions.change_schedule(make_schedule(), **fields),
        ):
            with pytest.raises(InvalidField) as caught:
                verb()
            assert caught.value.errors[0]["pointer"] == pointer

    def test_exceptions(self) -> None:
        schedule, day = make_schedule(), date(2026, 6, 10)
        actions.set_exception(schedule, day, ["10:00", "14:00"])
        actions.set_exception(schedule, day, [])
        actions.set_exception(schedule, day + DAY, ["10:00", "14:00"])
        assert [(e.date, e.windows) for e in schedule.exceptions.all()] == [(day, []), (day + DAY, ["10:00", "14:00"])]
        assert [actions.clear_exception(schedule, day) for _ in range(2)] == [True, False]
        assert schedule.exceptions.count() == 1

    def test_there_are_so_many_exceptions_and_no_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(actions, "MAX_EXCEPTIONS", 2)
        schedule, day = make_schedule(), date(2027, 1, 4)
        for number in range(2):
            actions.set_exception(schedule, day + number * DAY, [])
        with pytest.raises(TooManyExceptions):
            actions.set_exception(schedule, day + 2 * DAY, [])
        actions.set_exception(schedule, day, ["10:00", "14:00"])
        assert schedule.exceptions.count() == 2
        with pytest.raises(InvalidField) as caught:
            actions.set_exception(schedule, day, ["10:00"])
        assert caught.value.errors[0]["pointer"] == "/windows/0"


@pytest.mark.parametrize("key", [7, "7", UUID(int=7), "provider@example.com"])
def test_the_lock_takes_any_key(key: Any, db: None) -> None:
    actions.lock_provider(key)
    actions.lock_provider(str(key))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert cursor.fetchone() == (1,)
