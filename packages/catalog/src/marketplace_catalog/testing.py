"""Services for tests, ours and a host's."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection

from . import actions
from .models import Service, Word

EVERY_DAY = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def make_service(provider: AbstractBaseUser, **fields: Any) -> Service:
    """A service that can be booked round the clock, in UTC, unless told otherwise."""
    given: dict[str, Any] = {
        "title": "Deep cleaning",
        "description": "Every room, windows included.",
        "category": "cleaning",
        "price": Decimal("50.00"),
        "currency": "USD",
        "duration": 60,
        "timezone": "UTC",
        "availability": {day: ["00:00", "24:00"] for day in EVERY_DAY},
        "cancellation_policy": "flexible",
    }
    return actions.create_service(provider, given | fields)


def make_crowd(provider_ids: Sequence[Any], count: int) -> None:
    """So many services at once, by SQL, as unevenly spread as real ones: the same each time, a fraction of a ms each.

    Some categories, providers and words have a large part of them; most have no reviews; 7 of 100 are not listed.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute(_SCHEDULES, {"count": count})
        cursor.execute(_SERVICES, {"count": count, "providers": list(provider_ids)})
        Word.objects.learn_all()
        cursor.execute("ANALYZE marketplace_catalog_service, marketplace_scheduling_schedule, marketplace_catalog_word")


_SCHEDULES = """
INSERT INTO marketplace_scheduling_schedule (id, timezone, windows, duration, buffer_before, buffer_after,
    slot_interval, minimum_notice, booking_window)
SELECT md5('schedule' || n)::uuid, (ARRAY['Europe/Berlin', 'America/New_York', 'Asia/Tokyo', 'UTC'])[1 + n %% 4],
    (ARRAY['{"monday": ["09:00", "17:00"], "friday": ["09:00", "12:00", "13:00", "18:00"]}',
           '{"saturday": ["10:00", "16:00"]}'])[1 + n %% 2]::jsonb,
    30 + n %% 4 * 30, 0, n %% 3 * 15, 30, n %% 4 * 60, 60
FROM generate_series(1, %(count)s) AS n
"""

# A word is the hash of its number, and small numbers come often: the most frequent are in every second service.
_SERVICES = """
WITH RECURSIVE filed (id, words, parent_id) AS (
    SELECT id, name::text, parent_id FROM marketplace_catalog_category
    UNION SELECT filed.id, filed.words || ' ' || parent.name, parent.parent_id
    FROM filed JOIN marketplace_catalog_category AS parent ON parent.id = filed.parent_id
), category AS (
    SELECT id, words, row_number() OVER (ORDER BY md5(words)) - 1 AS place, count(*) OVER () AS places
    FROM filed WHERE parent_id IS NULL
), dice AS (
    SELECT n, now() - (%(count)s - n) * (interval '1000 days' / %(count)s) AS at,
        random() AS a, random() AS b, random() AS c, random() AS d, random() AS e,
        1 + floor(exp(5 * random()))::int AS reviews,
        (ARRAY['USD', 'USD', 'USD', 'USD', 'USD', 'EUR', 'EUR', 'EUR', 'GBP', 'JPY'])[1 + n * 7 %% 10] AS currency
    FROM generate_series(1, %(count)s) AS n
)
INSERT INTO marketplace_catalog_service (id, provider_id, title, description, category_id, category_words, price,
    currency, schedule_id, cancellation_policy, auto_confirm, is_active, rating_sum, rating_count, created_at,
    updated_at, deleted_at)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || left(md5(n::text), 19))::uuid,
    (%(providers)s)[1 + floor(a * a * cardinality(%(providers)s))],
    (ARRAY['Professional', 'Deep', 'Friendly', 'Mobile', 'Gentle', 'Élégante'])[1 + floor(6 * d * d)::int]
        || ' ' || category.words,
    (SELECT string_agg(left(translate(md5(k::text), '0123456789', 'ghilmnorst'), 3 + k %% 7), ' ')
        FROM (SELECT floor(power(30000, random()))::int AS k FROM generate_series(1, 10 + n %% 60)) AS picked),
    category.id, category.words,
    CASE currency WHEN 'JPY' THEN round((1000 * exp(3.6 * c))::numeric) ELSE round((10 * exp(4 * c))::numeric, 2) END,
    currency, md5('schedule' || n)::uuid, 'flexible', false, d > 0.03,
    CASE WHEN e > 0.6 THEN greatest(reviews, round(reviews * (5 - 3 * d * d))) ELSE 0 END,
    CASE WHEN e > 0.6 THEN reviews ELSE 0 END, at, at, CASE WHEN e < 0.04 THEN now() END
FROM dice JOIN category ON category.place = floor(places * power(b, 1.7))
ORDER BY n
"""
