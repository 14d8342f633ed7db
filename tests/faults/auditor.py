"""Holds what clients were told against what is stored. It reads tables and files, and asks no code of ours."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email import message_from_binary_file
from pathlib import Path
from typing import Any

from psycopg import Connection, sql
from tests.load.subscribers import Subscriber

from .diary import Diary

# Who is told of what, as queries of (user, type, what it is about): one notification for each row.
FACTS = (
    "SELECT provider_id, 'booking.created', id FROM marketplace_booking_booking",
    (
        "SELECT b.customer_id, 'booking.confirmed', b.id FROM marketplace_booking_historyentry h"
        " JOIN marketplace_booking_booking b ON b.id = h.booking_id WHERE h.action = 'confirmed'"
    ),
    (
        "SELECT CASE cancelled_by WHEN 'customer' THEN provider_id ELSE customer_id END, 'booking.cancelled', id"
        " FROM marketplace_booking_booking WHERE status = 'cancelled'"
    ),
    (
        "SELECT unnest(ARRAY[customer_id, provider_id]), 'payment.succeeded', id FROM marketplace_billing_payment"
        " WHERE status IN ('succeeded', 'partially_refunded', 'refunded')"
    ),
    "SELECT customer_id, 'payment.failed', id FROM marketplace_billing_payment WHERE status = 'failed'",
    (
        "SELECT p.customer_id, 'refund.succeeded', r.id FROM marketplace_billing_refund r"
        " JOIN marketplace_billing_payment p ON p.id = r.payment_id WHERE r.status = 'succeeded'"
    ),
)
TOLD = (
    "SELECT user_id, type, (CASE WHEN type LIKE 'booking.%' THEN data->>'bookingId'"
    " WHEN type LIKE 'payment.%' THEN data->>'paymentId' ELSE data->>'refundId' END)::uuid"
    " FROM marketplace_notifications_notification"
)
OVERLAPPING = (
    "SELECT a.id, b.id FROM marketplace_booking_booking a JOIN marketplace_booking_booking b"
    " ON a.provider_id = b.provider_id AND a.id < b.id"
    " AND a.scheduled_at - a.buffer_before * interval '1 min' < b.ends_at + b.buffer_after * interval '1 min'"
    " AND b.scheduled_at - b.buffer_before * interval '1 min' < a.ends_at + a.buffer_after * interval '1 min'"
    " WHERE a.status <> 'cancelled' AND b.status <> 'cancelled'"
)
# What stands in the log of a request that nobody expected; the last is granian's, of what Django did not catch.
DEFECTS = re.compile(r'unexpected_error|"status":\s*500\b|Application callable raised')
# By whom, and how many at the most: docs/deployment.md has the table. One more each, for who asks for metrics.
CONNECTIONS = {"marketplace api": 2 * 4 + 1, "marketplace stream": 4 + 1, "marketplace worker": 4 + 4 + 10 + 1}


@dataclass
class Auditor:
    """One audit. What it finds is a list of sentences, empty where all is well."""

    diary: Diary
    database: Connection[Any]
    mail: Path
    subscribers: dict[str, Subscriber] = field(default_factory=dict)  # by user
    logs: Path | None = None
    counted: Counter[str] = field(default_factory=Counter)  # what was compared

    def audit(self) -> list[str]:
        return [found for check in CHECKS for found in check(self)]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.database.execute(sql.SQL(query)).fetchall()

    def same(self, what: str, told: Iterable[Any], stored: Iterable[Any]) -> Iterator[str]:
        """Both are one, each as often."""
        mine, theirs = Counter(told), Counter(stored)
        self.counted[what] += sum(mine.values())
        yield from (f"{what} {one}: {count} x told, and not stored" for one, count in (mine - theirs).items())
        yield from (f"{what} {one}: {count} x stored, and never told" for one, count in (theirs - mine).items())


def answers(of: Auditor) -> Iterator[str]:
    """No client was told what is a defect; no log tells of one."""
    of.counted["answers"] = sum(of.diary.answers.values())
    yield from of.diary.wrong
    for log in of.logs.glob("api.log*") if of.logs else ():
        lines = log.read_text(errors="replace").splitlines()
        for number, line in enumerate(lines):
            if DEFECTS.search(line):
                yield f"{log.name}: " + "\n".join(lines[number : number + 40])[:4000]


def users(of: Auditor) -> Iterator[str]:
    stored = of.rows("SELECT id::text, email FROM marketplace_accounts_user")
    yield from of.same("user", of.diary.users.items(), stored)


def bookings(of: Auditor) -> Iterator[str]:
    """Who was told that he has a slot has it; nobody has one whom nobody told; and no slot was given twice."""
    stored = of.rows(
        "SELECT id::text, customer_id::text, service_id::text, scheduled_at FROM marketplace_booking_booking"
    )
    known = [(b["id"], b["customerId"], b["serviceId"], b["scheduledAt"]) for b in of.diary.bookings.values()]
    shown = [(pk, customer, service, f"{at:%Y-%m-%dT%H:%M:%SZ}") for pk, customer, service, at in stored]
    yield from of.same("booking", known, shown)
    yield from (f"double booking: {pair}" for pair in of.rows(OVERLAPPING))


def moves(of: Auditor) -> Iterator[str]:
    """Each that was answered is in the history, once; what is there besides was at least asked for."""
    told, stored = (
        of.diary.moves,
        Counter(of.rows("SELECT booking_id::text, action FROM marketplace_booking_historyentry")),
    )
    of.counted["move"] = sum(told.values())
    for move, count in stored.items():
        asked = move[1] == "created" or told[move] or move in of.diary.perhaps
        if count > 1 or not asked:
            yield f"move {move}: {count} x stored, told {told[move]} x"
    yield from (f"move {move}: told, and not stored" for move in told if not stored[move])
    last = "SELECT DISTINCT ON (booking_id) booking_id, to_status FROM marketplace_booking_historyentry"
    last += " ORDER BY booking_id, id DESC"
    differ = of.rows(
        f"SELECT id, status, to_status FROM marketplace_booking_booking LEFT JOIN ({last}) l ON l.booking_id = id"
        " WHERE status IS DISTINCT FROM to_status"
    )
    yield from (f"booking {pk} is {status}, and its history ends with {other}" for pk, status, other in differ)


def money(of: Auditor) -> Iterator[str]:
    """What was charged or given back was told, once; a cancelled booking's payment was given back whole."""
    stored = of.rows("SELECT id::text, booking_id::text FROM marketplace_billing_payment")
    yield from of.same("payment", of.diary.payments.items(), stored)
    refunds = set(of.rows("SELECT id::text, payment_id::text FROM marketplace_billing_refund"))
    of.counted["refund"] = len(of.diary.refunds)
    yield from (f"refund {one}: told, and not stored" for one in of.diary.refunds.items() - refunds)
    unasked = Counter(payment for pk, payment in refunds if pk not in of.diary.refunds)
    cancelled = "SELECT p.id::text, p.status FROM marketplace_billing_payment p JOIN marketplace_booking_booking b"
    paid = dict(of.rows(f"{cancelled} ON b.id = p.booking_id WHERE b.status = 'cancelled' AND p.status <> 'failed'"))
    yield from (
        f"payment {pk} of a cancelled booking is {status}" for pk, status in paid.items() if status != "refunded"
    )
    yield from (f"payment {pk}: {n} refunds nobody asked for" for pk, n in unasked.items() if n > 1 or pk not in paid)
    open_ = "SELECT 'payment', id FROM marketplace_billing_payment WHERE status = 'pending'"
    open_ += " UNION SELECT 'refund', id FROM marketplace_billing_refund WHERE status = 'pending'"
    yield from (f"{kind} {pk} was never settled" for kind, pk in of.rows(open_))
    uneven = "SELECT posting_id FROM marketplace_billing_entry GROUP BY posting_id, currency HAVING sum(amount) <> 0"
    yield from (f"posting {pk} does not sum to zero" for (pk,) in of.rows(uneven))


def notifications(of: Auditor) -> Iterator[str]:
    """One for each fact and each whom it concerns."""
    facts = [row for query in FACTS for row in of.rows(query)]
    yield from of.same("notification", facts, of.rows(TOLD))
    read = {pk for (pk,) in of.rows(
        "SELECT id::text FROM marketplace_notifications_notification WHERE read_at IS NOT NULL"
    )}  # fmt: skip
    of.counted["read mark"] = len(of.diary.read)
    yield from (f"notification {pk} was marked, and is unread" for pk in of.diary.read - read)


def mails(of: Auditor) -> Iterator[str]:
    """One for each notification, and one to each user to verify his address."""
    wanted = of.rows(
        "SELECT n.id::text, u.email FROM marketplace_notifications_notification n"
        " JOIN marketplace_accounts_user u ON u.id = n.user_id"
    )
    found = [_named(path) for path in of.mail.glob("*.eml")]
    known = {pk for pk, _ in wanted}
    yield from of.same("mail", wanted, (one for one in found if one[0] in known))
    yield from of.same("first mail", of.diary.users.values(), (to for key, to in found if key not in known))


def _named(path: Path) -> tuple[str, str]:
    """By what key a mail is named, and to whom it goes."""
    with path.open("rb") as file:
        message = message_from_binary_file(file)
    return message["Message-ID"].strip("<> ").partition("@")[0], message["To"]


def streams(of: Auditor) -> Iterator[str]:
    """Each subscriber got his whole stream, once, in its order."""
    for user, one in of.subscribers.items():
        query = "SELECT id::text FROM marketplace_notifications_notification WHERE user_id = %s ORDER BY position"
        published = [pk for (pk,) in of.database.execute(query, [user]).fetchall()]
        got = [key for key, _ in one.received]
        of.counted["event of a stream"] += len(got)
        if got != published or one.resets:
            lost, extra = len(set(published) - set(got)), len(got) - len(set(got))
            yield f"stream of {user}: {lost} lost, {extra} doubled, {one.resets} resets, of {len(published)}"
    positions = "SELECT user_id FROM marketplace_notifications_notification GROUP BY user_id"
    gaps = of.rows(f"{positions} HAVING count(*) <> max(position) OR min(position) <> 1")
    yield from (f"stream of {user} has gaps" for (user,) in gaps)


def services(of: Auditor) -> Iterator[str]:
    """Each has its last title, and the files that were answered."""
    yield from of.same(
        "title", of.diary.titles.items(), of.rows("SELECT id::text, title FROM marketplace_catalog_service")
    )
    stored = {pk for (pk,) in of.rows("SELECT id::text FROM marketplace_media_file")}
    of.counted["file"] = len(of.diary.files)
    yield from (f"file {pk}: told, and not stored" for pk in of.diary.files.keys() - stored)


def jobs(of: Auditor) -> Iterator[str]:
    """All are done."""
    left = of.rows(
        "SELECT task_name, status::text, count(*) FROM procrastinate_jobs WHERE status = 'failed' GROUP BY 1, 2"
    )
    yield from (f"{count} jobs {name} are {status}" for name, status, count in left)


def connections(of: Auditor) -> Iterator[str]:
    """Nobody keeps more than he has threads, and none hangs in a transaction."""
    held = (
        "SELECT application_name, count(*) FROM pg_stat_activity WHERE application_name LIKE 'marketplace %' GROUP BY 1"
    )
    for name, count in of.rows(held):
        of.counted["connection"] += count
        if count > CONNECTIONS.get(name, 0):
            yield f"{name} holds {count} connections, and {CONNECTIONS.get(name)} are its"
    stuck = "SELECT application_name, query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    mine = "AND pid <> pg_backend_pid() AND state_change < now() - interval '5 s'"
    yield from (f"{name} left a transaction open: {query}" for name, query in of.rows(f"{stuck} {mine}"))


CHECKS: tuple[Callable[[Auditor], Iterator[str]], ...] = (
    answers, users, bookings, moves, money, notifications, mails, streams, services, jobs, connections,
)  # fmt: skip
