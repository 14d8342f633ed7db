"""What the database says, in the words of the world that it is held against: all of it by one statement."""

import json
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob
from tests.agreements.world import World

from marketplace_kit.clock import instant
from marketplace_kit.models import IdempotencyKey
from marketplace_notifications.models import Notification, StreamCounter
from marketplace_scheduling.models import Reservation

type Rows = dict[str, list[Any]]


def models_of(label: str) -> list[Any]:
    return list(apps.get_app_config(label).get_models())


# All that an example writes.
WRITTEN = [
    *(model for name in ("booking", "billing", "billing_mock") for model in models_of(f"marketplace_{name}")),
    *(Reservation, Notification, StreamCounter, IdempotencyKey, ProcrastinateEvent, ProcrastinateJob),
]

MOMENT = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
# By name: the columns, and where from.
QUERIES = {
    "bookings": (
        f"b.id, status, {MOMENT.format('scheduled_at')}, cancelled_by, total_amount, {MOMENT.format('lower(during)')}",
        "marketplace_booking_booking b LEFT JOIN marketplace_scheduling_reservation r ON r.id = reservation_id",
    ),
    "history": (
        "booking_id, action, from_status, to_status, actor_id",
        "marketplace_booking_historyentry ORDER BY created_at, id",
    ),
    # A provider's reservations that still hold their time, and meet, buffers included.
    "overlaps": (
        "a.id, b.id",
        """marketplace_scheduling_reservation a, marketplace_scheduling_reservation b
        WHERE a.provider_id = b.provider_id AND a.id < b.id AND a.blocked && b.blocked
        AND NOT a.lapsed AND coalesce(a.expires_at > %(now)s, true)
        AND NOT b.lapsed AND coalesce(b.expires_at > %(now)s, true)""",
    ),
    "payments": (
        "id, status, amount, refunded_amount, claimed_amount, fee_amount, failure_code",
        "marketplace_billing_payment",
    ),
    "refunds": (
        "id, payment_id, amount, status, reason",
        "marketplace_billing_refund ORDER BY created_at, id",
    ),
    "asked for": (
        "key, outcome, failure_code = 'charge_exhausted'",
        """(SELECT key, outcome, failure_code FROM marketplace_billing_mock_mockcharge
        UNION ALL SELECT key, outcome, failure_code FROM marketplace_billing_mock_mockrefund) AS books""",
    ),
    "lopsided": (
        "posting_id, currency",
        "marketplace_billing_entry GROUP BY posting_id, currency HAVING sum(amount) <> 0",
    ),
    "accounts": (
        "account, owner_id, currency, -sum(amount)",
        "marketplace_billing_entry GROUP BY account, owner_id, currency",
    ),
    "payouts": (
        "provider_id, currency, sum(amount)",
        "marketplace_billing_payout GROUP BY provider_id, currency",
    ),
    "told": ("user_id, type, data", "marketplace_notifications_notification"),
    "places": (
        "array_agg(position ORDER BY position)",
        "marketplace_notifications_notification WHERE position IS NOT NULL GROUP BY user_id",
    ),
}
STATEMENT = "SELECT json_build_object({})::text".format(
    ", ".join(
        f"'{name}', (SELECT coalesce(json_agg(row), '[]') FROM (SELECT json_build_array({columns}) AS row FROM {of}) q)"
        for name, (columns, of) in QUERIES.items()
    )
)


def read(world: World) -> Rows:
    """All rows, as they are now."""
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, {"now": world.now})
        found: Rows = json.loads(cursor.fetchone()[0], parse_float=Decimal)
    return found


def wipe() -> None:
    """Make the tables empty: of few rows quicker than TRUNCATE by far.

    The triggers that keep history and ledger from being changed, and the foreign keys, are passed over.
    """
    deletes = "; ".join(f"DELETE FROM {model._meta.db_table}" for model in WRITTEN)
    with connection.cursor() as cursor:
        cursor.execute(f"SET session_replication_role = replica; {deletes}; SET session_replication_role = DEFAULT")


def name_refunds(world: World, found: Rows) -> None:
    """Give the refunds that came by themselves the ids that they have here."""
    unnamed = [refund for refund in world.refunds if refund.id is None]
    known = {refund.id for refund in world.refunds}
    for key, payment, amount, *_ in found["refunds"]:
        if key not in known:
            refund = next(r for r in unnamed if r.payment.id == payment and r.id is None)
            assert refund.amount == amount
            refund.id = key


def check(world: World, names: dict[str, str]) -> None:
    """Hold every row against the world. `names`: the people's, by their keys."""
    found = read(world)
    name_refunds(world, found)
    _check_bookings(world, found, names)
    _check_money(world, found)
    _check_ledger(world, found, names)
    _check_told(world, found, names)


def _check_bookings(world: World, found: Rows, names: dict[str, str]) -> None:
    assert {key: tuple(row) for key, *row in found["bookings"]} == {
        b.id: (b.status, at := instant(b.start), b.cancelled_by, b.amount, None if b.status == "cancelled" else at)
        for b in world.bookings.values()
    }
    history: dict[str, list[Any]] = {key: [] for key in world.bookings}
    for key, *entry, actor in found["history"]:
        history[key].append((*entry, names.get(actor)))
    assert history == {b.id: b.history for b in world.bookings.values()}
    assert found["overlaps"] == []


def _check_money(world: World, found: Rows) -> None:
    assert {key: values for key, *values in found["payments"]} == {
        p.id: [p.status, p.amount, p.refunded, p.claimed, p.fee, p.failure] for p in world.payments.values()
    }
    assert {key: values for key, *values in found["refunds"]} == {
        r.id: [r.payment.id, r.amount, r.status, r.reason] for r in world.refunds
    }
    assert all(p.refunded <= p.claimed <= p.amount for p in world.payments.values())
    assert {key: outcome for key, outcome, _ in found["asked for"]} == {
        money.id: money.gateway.outcome for money in world.moneys if money.gateway.outcome
    }
    assert not any(exhausted for *_, exhausted in found["asked for"])


def _check_ledger(world: World, found: Rows, names: dict[str, str]) -> None:
    assert found["lopsided"] == []
    expected: dict[tuple[str, str | None, str], Decimal] = defaultdict(Decimal)
    for p in world.payments.values():
        if p.is_paid:
            currency, provider = p.booking.currency, p.booking.provider
            expected["gateway", None, currency] -= p.amount - p.refunded
            expected["platform_fee", None, currency] += p.fee - p.fee_given_back(p.refunded)
            expected["provider_pending", provider, currency] += p.pending
            expected["provider_available", provider, currency] += p.available
    for (provider, currency), amount in world.paid_out.items():
        expected["provider_available", provider, currency] -= amount
        expected["paid_out", None, currency] += amount
    accounts = {(kind, names.get(owner), currency): amount for kind, owner, currency, amount in found["accounts"]}
    assert {k: v for k, v in accounts.items() if v} == {k: v for k, v in expected.items() if v}
    assert {(names[user], currency): amount for user, currency, amount in found["payouts"]} == world.paid_out


def _check_told(world: World, found: Rows, names: dict[str, str]) -> None:
    """Each fact to each person, and no fact twice."""
    told = ((names[user], kind, data[f"{kind.partition('.')[0]}Id"]) for user, kind, data in found["told"])
    assert Counter(told) == world.told
    assert all(places == [*range(1, len(places) + 1)] for (places,) in found["places"])
