"""The floor: what the same answers cost without a framework. A WSGI function, a pool of psycopg's, and orjson.

It knows none of our code, looks at nobody's token, checks nothing and refuses nothing; but it runs on the same server
with as many threads, on the same database, and answers what the system answers. Where finding is more than one
statement (search, slots) it runs those of the system, which the benchmark has written down with their values.

    python -m tests.load.bare --port 8002 --workers 1 --notes FILE
"""

import os
import pickle
from argparse import ArgumentParser
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import orjson
from granian import Granian
from granian.constants import Interfaces
from psycopg import Cursor
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool
from uuid_utils.compat import uuid7

NOTES = "BARE_NOTES"  # the variable that names their file
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
THREADS = 4  # as the API has

type Rows = Cursor[Any]
type Answer = Any

# --- services ---

SERVICE = """
SELECT s.id, s.provider_id, p.first_name, p.last_name, s.title, s.description, c.slug, s.price, s.currency,
h.duration, h.timezone, h.windows, h.buffer_before, h.buffer_after, h.slot_interval, h.minimum_notice,
h.booking_window, s.cancellation_policy, s.auto_confirm, s.rating_average, s.rating_count, s.is_active, s.created_at,
s.updated_at, f.key
FROM marketplace_catalog_service s
JOIN marketplace_catalog_category c ON c.id = s.category_id
JOIN marketplace_scheduling_schedule h ON h.id = s.schedule_id
LEFT JOIN marketplace_accounts_profile p ON p.user_id = s.provider_id
LEFT JOIN marketplace_media_file f ON f.id = p.avatar_id
WHERE s.is_active AND s.deleted_at IS NULL
"""
IMAGES = """
SELECT i.service_id, f.key FROM marketplace_catalog_servicefile i JOIN marketplace_media_file f ON f.id = i.file_id
WHERE f.kind = 'image' AND i.service_id = ANY(%s) ORDER BY i.position, i.id
"""
FILTERS = {
    "category": "AND s.category_id = (SELECT id FROM marketplace_catalog_category WHERE slug = %s)",
    "minPrice": "AND s.price >= %s::numeric",
    "maxPrice": "AND s.price <= %s::numeric",
    "currency": "AND s.currency = %s",
}


def services(rows: Rows, sql: str, values: Iterable[Any]) -> list[dict[str, Any]]:
    found = rows.execute(f"{SERVICE} {sql}", [*values]).fetchall()
    images: dict[UUID, list[str]] = {row[0]: [] for row in found}
    for key, path in rows.execute(IMAGES, [[*images]]).fetchall():
        images[key].append(path)
    return [service(row, images[row[0]]) for row in found]


def service(row: Any, images: list[str]) -> dict[str, Any]:
    return {
        "id": row[0],
        "providerId": row[1],
        "provider": {"id": row[1], "firstName": row[2], "lastName": row[3], "avatarUrl": row[24]},
        "title": row[4],
        "description": row[5],
        "category": row[6],
        "price": row[7],
        "currency": row[8],
        "duration": row[9],
        "timezone": row[10],
        "availability": {day: row[11][day] for day in WEEK if day in row[11]},
        "bufferBefore": row[12],
        "bufferAfter": row[13],
        "slotInterval": row[14],
        "minimumNotice": row[15],
        "bookingWindow": row[16],
        "cancellationPolicy": row[17],
        "autoConfirm": row[18],
        "images": images,
        "rating": {"average": row[19] if row[20] else None, "count": row[20]},
        "isActive": row[21],
        "createdAt": row[22],
        "updatedAt": row[23],
    }


def list_services(rows: Rows, path: str, asked: dict[str, list[str]], body: bytes) -> Answer:
    if "q" in asked:
        return search(rows, f"{path}?q={asked['q'][0]}")
    conditions = [FILTERS[name] for name in asked if name in FILTERS]
    values: list[Any] = [asked[name][0] for name in asked if name in FILTERS]
    if "cursor" in asked:
        cursor = asked["cursor"][0]
        _, at, key = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        conditions.append("AND (s.created_at, s.id) < (%s, %s)")
        values += [datetime.fromisoformat(at), UUID(key)]
    found = services(rows, f"{' '.join(conditions)} ORDER BY s.created_at DESC, s.id DESC LIMIT 21", values)
    return {"items": found[:20], "nextCursor": found[19]["id"] if len(found) > 20 else None}


def search(rows: Rows, question: str) -> Answer:
    *statements, (_, [*keys]) = NOTED[question]
    for sql, values in statements:
        rows.execute(sql, values).fetchall()
    found = {one["id"]: one for one in services(rows, "AND s.id = ANY(%s)", [keys])}
    return {"items": [found[key] for key in keys], "nextCursor": None}


def one_service(rows: Rows, path: str, asked: dict[str, list[str]], body: bytes) -> Answer:
    if path.endswith("/slots"):
        return slots(rows, path)
    return services(rows, "AND s.id = %s", [UUID(path.rpartition("/")[2])])[0]


def slots(rows: Rows, path: str) -> Answer:
    *statements, (_, answer) = NOTED[path]
    for sql, values in statements:
        rows.execute(sql, values).fetchall()
    return answer


# --- bookings and the inbox ---

BOOKINGS = """
SELECT b.id, b.customer_id, b.provider_id, b.service_id, s.title, b.status, b.scheduled_at, b.ends_at, b.duration,
b.timezone, b.total_amount, b.currency, b.notes, b.cancellation_policy, b.cancelled_by, b.cancellation_reason,
b.created_at, b.updated_at
FROM marketplace_booking_booking b JOIN marketplace_catalog_service s ON s.id = b.service_id
"""
ORDERS = {"-createdAt": "b.created_at DESC, b.id DESC", "-scheduledAt": "b.scheduled_at DESC, b.id DESC"}


def list_bookings(rows: Rows, path: str, asked: dict[str, list[str]], body: bytes) -> Answer:
    sql = f"{BOOKINGS} WHERE b.provider_id = %s ORDER BY {ORDERS[asked['sort'][0]]} LIMIT 21"
    found = rows.execute(sql, [UUID(asked["caller"][0])]).fetchall()
    return {"items": [booking(row) for row in found[:20]], "nextCursor": found[19][0] if len(found) > 20 else None}


def booking(row: Any) -> dict[str, Any]:
    return {
        "id": row[0],
        "customerId": row[1],
        "providerId": row[2],
        "serviceId": row[3],
        "service": {"id": row[3], "title": row[4]},
        "status": row[5],
        "scheduledAt": row[6],
        "endsAt": row[7],
        "duration": row[8],
        "timezone": row[9],
        "totalAmount": row[10],
        "currency": row[11],
        "notes": row[12],
        "cancellationPolicy": row[13],
        "cancelledBy": row[14],
        "cancellationReason": row[15],
        "createdAt": row[16],
        "updatedAt": row[17],
    }


def inbox(rows: Rows, path: str, asked: dict[str, list[str]], body: bytes) -> Answer:
    sql = """
    SELECT id, type, title, body, data, read_at, created_at FROM marketplace_notifications_notification
    WHERE user_id = %s AND in_app ORDER BY created_at DESC, id DESC LIMIT 21
    """
    found = rows.execute(sql, [UUID(asked["caller"][0])]).fetchall()
    names = ("id", "type", "title", "body", "data", "readAt", "createdAt")
    items = [dict(zip(names, row, strict=True)) for row in found[:20]]
    return {"items": items, "nextCursor": found[19][0] if len(found) > 20 else None}


# The rows that the system writes for a booking, but for the jobs of the worker.
LOCK = "SELECT pg_advisory_xact_lock(hashtext(%s))"
KNOWN = 'SELECT status FROM marketplace_kit_idempotencykey WHERE "user" = %s AND key = %s'
OFFER = """
SELECT s.provider_id, s.title, s.price, s.currency, s.cancellation_policy, h.duration, h.timezone, h.buffer_before,
h.buffer_after
FROM marketplace_catalog_service s JOIN marketplace_scheduling_schedule h ON h.id = s.schedule_id WHERE s.id = %s
"""
RESERVE = """
INSERT INTO marketplace_scheduling_reservation (id, provider_id, during, blocked, expires_at, lapsed)
VALUES (%s, %s, tstzrange(%s, %s), tstzrange(%s - %s * interval '1 min', %s + %s * interval '1 min'), %s, false)
ON CONFLICT DO NOTHING
"""
BOOK = """
INSERT INTO marketplace_booking_booking (id, customer_id, provider_id, service_id, reservation_id, status, scheduled_at,
ends_at, timezone, duration, buffer_before, buffer_after, total_amount, currency, cancellation_policy, notes, agreed_at,
created_at, updated_at)
VALUES (%s, %s, %s, %s, %s, 'pending', %s, %s + %s * interval '1 min', %s, %s, %s, %s, %s, %s, %s, '', now(), now(),
now())
RETURNING ends_at, created_at
"""
HISTORY = """
INSERT INTO marketplace_booking_historyentry (id, booking_id, action, to_status, actor_id, data, created_at)
VALUES (%s, %s, 'created', 'pending', %s, '{}', now())
"""
NOTIFY = """
INSERT INTO marketplace_notifications_notification (id, user_id, type, title, body, data, context, in_app, created_at)
VALUES (%s, %s, 'booking.created', %s, %s, %s, '{}', true, now())
"""
KEEP = """
INSERT INTO marketplace_kit_idempotencykey ("user", method, path, key, body_hash, resource_id, status, headers, body,
created_at)
VALUES (%s, 'POST', '/api/v1/bookings', %s, '', %s, 201, '{}', %s, now())
"""


def create_booking(rows: Rows, path: str, asked: dict[str, list[str]], body: bytes) -> Answer:
    given, caller, key = orjson.loads(body), asked["caller"][0], asked["key"][0]
    with rows.connection.transaction():
        assert rows.execute(KNOWN, [caller, key]).fetchone() is None
        offer = rows.execute(OFFER, [UUID(given["serviceId"])]).fetchone()
        provider, title, price, currency, policy, minutes, zone, before, after = offer
        rows.execute(LOCK, [str(provider)])
        start, held, made = datetime.fromisoformat(given["scheduledAt"]), uuid7(), uuid7()
        end = start + MINUTE * minutes
        rows.execute(RESERVE, [held, provider, start, end, start, before, end, after, start])
        assert rows.rowcount, "the slot is taken"
        values = [made, UUID(caller), provider, UUID(given["serviceId"]), held, start, start, minutes, zone, minutes]
        rows.execute(BOOK, [*values, before, after, price, currency, policy])
        ends_at, created_at = rows.fetchone() or ()
        rows.execute(HISTORY, [uuid7(), made, UUID(caller)])
        about = {"bookingId": str(made), "serviceId": given["serviceId"]}
        rows.execute(NOTIFY, [uuid7(), provider, f"New booking: {title}", f"{title} was booked.", Jsonb(about)])
        row = [made, caller, provider, given["serviceId"], title, "pending", start, ends_at, minutes, zone, price]
        answer = booking([*row, currency, "", policy, None, None, created_at, created_at])
        rows.execute(KEEP, [caller, key, uuid7(), to_json(answer)])
    return answer


# --- the application ---

ROUTES: dict[str, Callable[[Rows, str, dict[str, list[str]], bytes], Answer]] = {
    "/api/v1/services": list_services,
    "/api/v1/bookings": list_bookings,
    "/api/v1/notifications": inbox,
}
NOTED: dict[str, Any] = {}
POOL: "ConnectionPool | None" = None
MINUTE = datetime(1, 1, 1, 0, 1) - datetime(1, 1, 1)  # noqa: DTZ001  (a length of time)


def to_json(value: Any) -> bytes:
    return orjson.dumps(value, default=exactly, option=orjson.OPT_UTC_Z)


def exactly(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f").encode())
    raise TypeError(type(value))


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path, asked = environ["PATH_INFO"], parse_qs(environ["QUERY_STRING"])
    asked["caller"] = [environ.get("HTTP_X_CALLER", "")]  # whom the token would tell
    asked["key"] = [environ.get("HTTP_IDEMPOTENCY_KEY", "")]
    is_post = environ["REQUEST_METHOD"] == "POST"
    answer = create_booking if is_post else ROUTES.get(path, one_service)
    assert POOL is not None
    with POOL.connection() as connection, connection.cursor() as rows:
        body = to_json(answer(rows, path, asked, environ["wsgi.input"].read() if is_post else b""))
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("201 Created" if is_post else "200 OK", headers)
    return [body]


def load() -> Callable[..., Iterable[bytes]]:
    """What a worker serves, loaded in the worker."""
    global POOL
    NOTED.update(pickle.loads(Path(os.environ[NOTES]).read_bytes()))
    POOL = ConnectionPool(os.environ["DATABASE_URL"], min_size=THREADS, kwargs={"autocommit": True}, open=True)
    return application


def main() -> None:
    parser = ArgumentParser(prog="python -m tests.load.bare")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    server = Granian(
        "tests.load.bare:application",
        port=given.port,
        interface=Interfaces.WSGI,
        websockets=False,
        workers=given.workers,
        blocking_threads=THREADS,
    )
    server.serve(target_loader=load, wrap_loader=False)


if __name__ == "__main__":
    main()
