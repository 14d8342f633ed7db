"""Many at once. Each race is also run with its guards off, and goes wrong then: or it would prove nothing."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Barrier

import pytest
from django.db import connection, transaction
from tests.people.models import Person

from marketplace_kit import clock
from marketplace_scheduling import actions
from marketplace_scheduling.exceptions import ReservationLapsed, SlotUnavailable
from marketplace_scheduling.models import Reservation
from marketplace_scheduling.testing import make_reservation, make_schedule

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)
NOW = datetime(2026, 6, 10, 6, tzinfo=UTC)
THREADS = 50


@pytest.fixture(autouse=True)
def _stopped_clock() -> Iterator[None]:
    with clock.frozen(NOW):
        yield


@pytest.fixture
def provider_id() -> int:
    return Person.objects.create(name="Ada").pk


def at_once[T](attempts: list[Callable[[], T]]) -> list[T | None]:
    """Each in a thread with a connection of its own, all let go together; None for those who were refused."""
    line = Barrier(len(attempts))

    def run(attempt: Callable[[], T]) -> T | None:
        try:
            connection.ensure_connection()
            line.wait(60)
            return attempt()
        except (SlotUnavailable, ReservationLapsed):
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(len(attempts)) as pool:
        return list(pool.map(run, attempts))


@contextmanager
def no_constraint() -> Iterator[None]:
    constraint = next(c for c in Reservation._meta.constraints if c.name == "marketplace_scheduling_no_overlap")
    with connection.schema_editor() as editor:
        editor.remove_constraint(Reservation, constraint)
    try:
        yield
    finally:
        Reservation.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Reservation, constraint)


@contextmanager
def no_lock(threads: int) -> Iterator[None]:
    """Nobody waits for the provider; and so that no order is left to luck, all have looked before the first writes."""
    looked, insert = Barrier(threads), actions.insert_if_free
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(actions, "lock_provider", lambda provider_id: None)
        patch.setattr(actions, "insert_if_free", lambda *rows: looked.wait(60) >= 0 and insert(*rows))
        yield


@pytest.mark.parametrize(
    ("lock", "constraint", "winners"),
    [(True, True, 1), (True, False, 1), (False, True, 1), (False, False, THREADS)],
)
def test_one_of_many_gets_the_slot(provider_id: int, lock: bool, constraint: bool, winners: int) -> None:
    """Either guard suffices; without both everybody is told that the slot is theirs."""
    schedules = [make_schedule(), make_schedule()]
    attempts = [lambda n=n: actions.reserve(schedules[n % 2], provider_id, NOW + HOUR) for n in range(THREADS)]
    with ExitStack() as guards:
        guards.enter_context(nullcontext() if constraint else no_constraint())
        guards.enter_context(nullcontext() if lock else no_lock(THREADS))
        results = at_once(attempts)
        assert Reservation.objects.count() == winners
    assert sum(result is not None for result in results) == winners


@pytest.mark.parametrize("guarded", [True, False])
def test_blocks_with_buffers_over_two_services(provider_id: int, guarded: bool) -> None:
    one = make_schedule(slot_interval=15, duration=45, buffer_after=20)
    other = make_schedule(slot_interval=15, duration=30, buffer_before=25)
    starts = [(s, NOW + HOUR + n * timedelta(minutes=15)) for n in range(10) for s in (one, other)]
    attempts = [lambda s=s, at=at: actions.reserve(s, provider_id, at) for s, at in starts]
    with ExitStack() as guards:
        if not guarded:
            guards.enter_context(no_constraint())
            guards.enter_context(no_lock(len(attempts)))
        results = at_once(attempts)
        blocks = sorted(Reservation.objects.all().blocked_spans())
    apart = all(earlier.end <= later.start for earlier, later in pairwise(blocks))
    assert apart is guarded
    assert len(blocks) == sum(result is not None for result in results) > 1


def test_two_who_move_to_one_slot(provider_id: int) -> None:
    schedule = make_schedule()
    mine = [actions.reserve(schedule, provider_id, NOW + hours * HOUR) for hours in (1, 2, 3, 4)]
    results = at_once([lambda r=r: actions.move(r, schedule, NOW + 10 * HOUR) for r in mine])
    assert sum(result is not None for result in results) == 1
    at = sorted(span.start for span in Reservation.objects.all().blocked_spans())
    assert len(at) == 4
    assert at[-1] == NOW + 10 * HOUR


def test_moving_away_and_taking_never_lose_or_double(provider_id: int) -> None:
    """The slot that is left may be taken at once; each that was refused has left all as it was."""
    schedule = make_schedule()
    mine = actions.reserve(schedule, provider_id, NOW + HOUR)
    take = [lambda: actions.reserve(schedule, provider_id, NOW + HOUR)] * 10
    moved, *taken = at_once([lambda: actions.move(mine, schedule, NOW + 2 * HOUR), *take])
    assert moved is not None
    assert Reservation.objects.count() == 1 + sum(result is not None for result in taken) <= 2


def test_one_of_many_gets_what_lapsed(provider_id: int) -> None:
    make_reservation(provider_id, NOW + HOUR, expires_at=NOW)
    schedule = make_schedule()
    results = at_once([lambda: actions.reserve(schedule, provider_id, NOW + HOUR)] * 10)
    assert sum(result is not None for result in results) == 1
    assert Reservation.objects.standing(NOW).count() == 1


def test_a_slot_that_is_confirmed_as_it_lapses_stays_with_its_owner(provider_id: int) -> None:
    """Two machines whose clocks differ: one confirms just in time, for the other the time is over."""
    schedule = make_schedule()
    reservation = make_reservation(provider_id, NOW + HOUR, expires_at=NOW)

    def take() -> bool:
        try:
            actions.reserve(schedule, provider_id, NOW + HOUR)
        except SlotUnavailable:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            with clock.frozen(NOW - HOUR):
                actions.make_firm(reservation.pk)
            taken = pool.submit(take)
            wait_until_blocked()
        assert taken.result(60) is False
    reservation.refresh_from_db()
    assert (reservation.expires_at, reservation.lapsed) == (None, False)


def test_a_slot_that_lapsed_to_another_can_t_be_confirmed(provider_id: int) -> None:
    schedule = make_schedule()
    reservation = make_reservation(provider_id, NOW + HOUR, expires_at=NOW)

    def confirm() -> bool:
        try:
            actions.make_firm(reservation.pk)
        except ReservationLapsed:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            actions.reserve(schedule, provider_id, NOW + HOUR)
            with clock.frozen(NOW - HOUR):
                confirmed = pool.submit(confirm)
                wait_until_blocked()
        assert confirmed.result(60) is False


def wait_until_blocked() -> None:
    """Until some other connection waits for a lock."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() != (0,):
                return
    raise AssertionError("nobody waits")
