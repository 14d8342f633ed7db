"""Bookings by the million, with their history and the time that they hold, made by PostgreSQL itself.

Two years of them and the weeks to come: the more there are, the more each provider has a day. One in ten is one of the
busy providers'. Rows are written with all that the tables demand; what can be built or checked in one go, indexes and
references, is so afterwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from django.db import connection
from tests.load.tables import say

from marketplace_catalog.models import Service

BUSY = 100  # providers who have a tenth of the bookings
LASTS = 60  # minutes
PAST, AHEAD = 730, 20  # days
SETTLED = 10  # of the days ahead, about which nobody has to be reminded any more, and nothing lapses
TABLES = ("marketplace_scheduling_reservation", "marketplace_booking_booking", "marketplace_booking_historyentry")

# Who offers and who books, numbered: each provider with one of his services.
PEOPLE = (
    """
    CREATE TEMP TABLE sellers AS
    SELECT row_number() OVER (ORDER BY provider_id) - 1 AS number, service.*
    FROM (
        SELECT DISTINCT ON (provider_id) provider_id, service.id AS service_id, price, currency, cancellation_policy,
               timezone
        FROM marketplace_catalog_service service
        JOIN marketplace_scheduling_schedule schedule ON schedule.id = schedule_id
        ORDER BY provider_id, auto_confirm, service.id
    ) service
    """,
    """
    CREATE TEMP TABLE buyers AS
    SELECT row_number() OVER (ORDER BY id) - 1 AS number, id AS customer_id
    FROM marketplace_accounts_user WHERE role = 'customer'
    """,
    "CREATE UNIQUE INDEX ON sellers (number)",
    "CREATE UNIQUE INDEX ON buyers (number)",
    "ANALYZE sellers, buyers",
)

# When, whose and what became of it: about in the order of time.
AGREED = """
CREATE UNLOGGED TABLE agreed AS
WITH place AS (
    SELECT n, random() AS fate, random() AS early, (random() * (%(buyers)s - 1))::bigint AS buyer,
           CASE WHEN n %% 10 = 0 THEN n / 10 %% %(busy)s ELSE %(busy)s + (n - n / 10 - 1) %% %(others)s END AS seller,
           CASE WHEN n %% 10 = 0 THEN n / 10 / %(busy)s ELSE (n - n / 10 - 1) / %(others)s END AS turn,
           CASE WHEN n %% 10 = 0 THEN %(busy_step)s ELSE %(step)s END AS step
    FROM generate_series(0, %(size)s - 1) n
), timed AS (
    SELECT *, %(today)s::timestamptz - %(past)s * interval '1 day'
              + (turn * step + seller * 37 %% step) * interval '1 minute' AS starts
    FROM place
), booked AS (
    SELECT *, CASE
        WHEN starts < now() THEN starts - interval '1 day' - early * interval '20 days'
        ELSE now() - early * interval '20 days'
    END AS made, CASE
        WHEN fate < 0.14 THEN 'cancelled'
        WHEN starts < now() THEN 'completed'
        WHEN fate < 0.25 AND starts > now() + %(settled)s * interval '1 day' THEN 'pending'
        ELSE 'confirmed'
    END AS status FROM timed
)
SELECT n, buyer, seller, starts, made, status, uuidv7(made - now()) AS id,
       CASE WHEN status <> 'cancelled' THEN uuidv7(made - now()) END AS reservation_id
FROM booked
"""

RESERVATIONS = """
INSERT INTO marketplace_scheduling_reservation (id, provider_id, during, blocked, expires_at, lapsed)
SELECT reservation_id, provider_id, span, span, CASE WHEN status = 'pending' THEN starts END, false
FROM agreed JOIN sellers ON number = seller,
LATERAL (SELECT tstzrange(starts, starts + %(lasts)s * interval '1 minute') AS span) held
WHERE reservation_id IS NOT NULL
"""

BOOKINGS = """
INSERT INTO marketplace_booking_booking (
    id, customer_id, provider_id, service_id, reservation_id, status, scheduled_at, ends_at, timezone, duration,
    buffer_before, buffer_after, total_amount, currency, cancellation_policy, notes, cancelled_by, cancellation_reason,
    agreed_at, reminded_at, created_at, updated_at
)
SELECT id, customer_id, provider_id, service_id, reservation_id, status, starts,
       starts + %(lasts)s * interval '1 minute', timezone, %(lasts)s, 0, 0, price, currency, cancellation_policy, '',
       CASE WHEN status = 'cancelled' THEN 'customer' END, CASE WHEN status = 'cancelled' THEN 'I am ill.' END,
       made, CASE WHEN status <> 'cancelled' AND starts < now() + %(settled)s * interval '1 day' THEN made END,
       made, made
FROM agreed JOIN sellers ON sellers.number = seller JOIN buyers ON buyers.number = buyer
"""

# Every other one was confirmed by its provider, the rest by themselves.
HISTORY = """
INSERT INTO marketplace_booking_historyentry (
    id, booking_id, action, from_status, to_status, actor_id, reason, data, created_at
)
SELECT uuidv7(at - now()), id, event, before, after,
       CASE WHEN event IN ('created', 'cancelled') THEN customer_id ELSE provider_id END,
       CASE WHEN event = 'cancelled' THEN 'I am ill.' END, '{}', at
FROM agreed JOIN sellers ON sellers.number = seller JOIN buyers ON buyers.number = buyer,
LATERAL (SELECT status = 'pending' OR n %% 2 = 0 AS is_asked) first, LATERAL (VALUES
    ('created', NULL, CASE WHEN is_asked THEN 'pending' ELSE 'confirmed' END, made, true),
    ('confirmed', 'pending', 'confirmed', made + interval '1 hour', is_asked AND status <> 'pending'),
    ('completed', 'confirmed', 'completed', starts + interval '1 hour', status = 'completed'),
    ('cancelled', 'confirmed', 'cancelled', made + interval '2 hours', status = 'cancelled')
) happened (event, before, after, at, is_so) WHERE is_so
"""


def fill(size: int) -> None:
    """Put so many bookings into the database that is connected to, which has people and services, but none of these.

    PostgreSQL 18 or newer, which makes keys of version 7.
    """
    began = monotonic()
    put(size)
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}")
    say(f"{size:,} bookings are in place after {monotonic() - began:.0f} s")


def put(size: int) -> None:
    """The same, before PostgreSQL has looked at what came."""
    with connection.cursor() as cursor:
        # One process, so that rows are written in the order of time, as they came; and the same chance each time.
        settings = {"max_parallel_workers_per_gather": "0", "synchronous_commit": "off", "work_mem": "256MB"}
        for name, value in (settings | {"maintenance_work_mem": "1GB"}).items():
            cursor.execute(f"SET {name} = '{value}'")
        for statement in (*PEOPLE, "SELECT setseed(0.5)"):
            cursor.execute(statement)
        cursor.execute(AGREED, values(size))
        cursor.execute("ANALYZE agreed")
        with built_afterwards():
            for statement in (RESERVATIONS, BOOKINGS, HISTORY):
                cursor.execute(statement, {"lasts": LASTS, "settled": SETTLED})
                say(f"{size:,} bookings: {cursor.rowcount:,} rows are written")
        cursor.execute("DROP TABLE agreed, sellers, buyers")


def busy_providers() -> list[Any]:
    """The keys of those who have the most, as `fill` numbers them."""
    offering = Service.objects.order_by("provider").values_list("provider", flat=True).distinct()
    return [*offering[:BUSY]]


def values(size: int) -> dict[str, object]:
    """What the bookings are laid out by. AssertionError where they would overlap."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM sellers), (SELECT count(*) FROM buyers), current_date")
        sellers, buyers, today = cursor.fetchone()
    others = sellers - BUSY
    layout = {"size": size, "buyers": buyers, "busy": BUSY, "others": others, "today": today}
    layout |= {"busy_step": step(size // 10, BUSY), "step": step(size - size // 10, others)}
    return layout | {"past": PAST, "settled": SETTLED}


def step(bookings: int, providers: int) -> int:
    """Minutes from one to the next of a provider's, where so many share these bookings."""
    minutes = (PAST + AHEAD) * 24 * 60 // -(-bookings // providers)
    assert minutes >= LASTS, "So many bookings need more providers."
    return minutes


# --- what is built when the rows are there ---

CONSTRAINTS = """
SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),
       format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE conrelid = ANY(%(tables)s::regclass[]) AND contype IN ('f', 'u', 'x')
ORDER BY contype DESC, conname
"""
INDEXES = """
SELECT format('DROP INDEX %%s', indexrelid::regclass), pg_get_indexdef(indexrelid)
FROM pg_index WHERE indrelid = ANY(%(tables)s::regclass[]) AND NOT indisprimary
AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
ORDER BY indexrelid
"""


@contextmanager
def built_afterwards() -> Iterator[None]:
    """Without the tables' indexes and references, but for primary keys; at the end the same ones are there again.

    Each is then built, and checked, over all rows, as it would have been for one after the other.
    """
    with connection.cursor() as cursor:
        statements: list[tuple[str, str]] = []
        for query in (CONSTRAINTS, INDEXES):
            cursor.execute(query, {"tables": list(TABLES)})
            statements += cursor.fetchall()
        for drop, _ in statements:
            cursor.execute(drop)
        yield
        for _, build in statements:
            cursor.execute(build)
