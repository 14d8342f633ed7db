"""Real clients use a real system while each of its parts is killed; then what they were told is what is stored.

`python -m tests.faults` does the same for longer, in more ways: docs/reliability.md.
"""

import shutil

import httpx
import pytest
import structlog
from tests.faults import auditor, caller
from tests.faults.caller import PROBLEM
from tests.faults.diary import Diary
from tests.faults.parts import PARTS
from tests.faults.report import MIB
from tests.faults.saboteur import each_once
from tests.faults.soak import ENV, Soak, grown

from marketplace.running.system import System

A, B = ("api", 1), ("api", 2)  # two processes
SEED = 1  # of what everybody does; what dies when he does it, chance decides


@pytest.fixture(scope="module")
def soak():
    with System(demo_data=False, env=ENV) as system:
        soak = Soak(system, SEED, print)
        soak.gather(providers=2, customers=5)
        soak.play(each_once(SEED), seconds=600)
        yield soak


def test_whatever_is_killed_nothing_is_lost_or_doubled_and_all_recovers(soak):
    found, counted = soak.audit()

    assert found == []
    assert {part for blow, _ in soak.saboteur.recoveries for part in blow.parts} == set(PARTS)
    assert soak.diary.repeated > 0  # they did meet what was killed
    assert [what for what, count in counted.items() if not count] == []


# --- the control: an auditor finds what is wrong ---

ONE_BOOKING = "(SELECT id FROM marketplace_booking_booking WHERE status <> 'cancelled' LIMIT 1)"
ONE_TOLD = "(SELECT id FROM marketplace_notifications_notification WHERE read_at IS NOT NULL LIMIT 1)"
HISTORY = "marketplace_booking_historyentry"
ONE_CONFIRMED = f"(SELECT id FROM {HISTORY} WHERE action = 'confirmed' LIMIT 1)"
ONE_PAID = "(SELECT id FROM marketplace_billing_payment WHERE status = 'succeeded' LIMIT 1)"
LIES = {
    "a user is lost": (
        auditor.users,
        "DELETE FROM marketplace_accounts_user WHERE id = (SELECT id FROM marketplace_accounts_user LIMIT 1)",
    ),
    "a booking is lost": (auditor.bookings, f"DELETE FROM marketplace_booking_booking WHERE id = {ONE_BOOKING}"),
    "a booking is another's": (
        auditor.bookings,
        (
            "UPDATE marketplace_booking_booking SET customer_id = b.customer_id FROM marketplace_booking_booking b"
            " WHERE b.customer_id <> marketplace_booking_booking.customer_id"
        ),
    ),
    "a slot is given twice": (
        auditor.bookings,
        (
            "UPDATE marketplace_booking_booking one SET provider_id = b.provider_id, scheduled_at = b.scheduled_at,"
            f" ends_at = b.ends_at FROM marketplace_booking_booking b WHERE b.id = {ONE_BOOKING}"
            " AND one.id <> b.id AND one.status <> 'cancelled'"
        ),
    ),
    "a move is lost": (auditor.moves, f"DELETE FROM {HISTORY} WHERE id = {ONE_CONFIRMED}"),
    "a move is made again": (
        auditor.moves,
        f"UPDATE {HISTORY} SET action = 'created' WHERE id = {ONE_CONFIRMED}",
    ),
    "a status is not what its history says": (
        auditor.moves,
        f"UPDATE marketplace_booking_booking SET status = 'completed' WHERE id = {ONE_BOOKING}",
    ),
    "a payment is lost": (auditor.money, f"DELETE FROM marketplace_billing_payment WHERE id = {ONE_PAID}"),
    "a payment is never settled": (
        auditor.money,
        f"UPDATE marketplace_billing_payment SET status = 'pending' WHERE id = {ONE_PAID}",
    ),
    "a cancelled booking's payment is kept": (
        auditor.money,
        (
            "UPDATE marketplace_booking_booking SET status = 'cancelled', cancelled_by = 'customer',"
            " reservation_id = NULL"
            f" WHERE id = (SELECT booking_id FROM marketplace_billing_payment WHERE id = {ONE_PAID})"
        ),
    ),
    "refunds are lost": (auditor.money, "DELETE FROM marketplace_billing_refund"),
    "a posting is not balanced": (
        auditor.money,
        (
            "UPDATE marketplace_billing_entry SET amount = amount + 1"
            " WHERE id = (SELECT id FROM marketplace_billing_entry LIMIT 1)"
        ),
    ),
    "a notification is lost": (
        auditor.notifications,
        f"DELETE FROM marketplace_notifications_notification WHERE id = {ONE_TOLD}",
    ),
    "a mark is lost": (
        auditor.notifications,
        f"UPDATE marketplace_notifications_notification SET read_at = NULL WHERE id = {ONE_TOLD}",
    ),
    "somebody is told another's": (
        auditor.notifications,
        (
            "UPDATE marketplace_notifications_notification SET position = 9999, user_id ="
            f" (SELECT id FROM marketplace_accounts_user u WHERE u.id <> user_id LIMIT 1) WHERE id = {ONE_TOLD}"
        ),
    ),
    "a mail too many": (
        auditor.mails,
        f"DELETE FROM marketplace_notifications_notification WHERE id = {ONE_TOLD}",
    ),
    "a stream has a gap": (
        auditor.streams,
        f"UPDATE marketplace_notifications_notification SET position = 9999 WHERE id = {ONE_TOLD}",
    ),
    "an event that nobody got": (
        auditor.streams,
        f"UPDATE marketplace_notifications_notification SET id = gen_random_uuid() WHERE id = {ONE_TOLD}",
    ),
    "a title is an old one": (auditor.services, "UPDATE marketplace_catalog_service SET title = 'Old'"),
    "files are lost": (auditor.services, "DELETE FROM marketplace_media_file"),
    "a job has failed": (
        auditor.jobs,
        "UPDATE procrastinate_jobs SET status = 'failed' WHERE id = (SELECT max(id) FROM procrastinate_jobs)",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_the_auditor_finds(soak, lie):
    check, statement = LIES[lie]
    with soak.database() as database, database.transaction(force_rollback=True):
        database.execute("SET LOCAL session_replication_role = replica")  # without what would not let us
        assert [*check(soak.auditor(database))] == []
        assert database.execute(statement).rowcount > 0
        assert [*check(soak.auditor(database))] != []


def test_the_auditor_finds_a_mail_that_is_missing(soak, tmp_path):
    with soak.database() as database:
        audit = soak.auditor(database)
        mails = tmp_path / "mails"
        shutil.copytree(audit.mail, mails)
        next(mails.glob("*.eml")).unlink()
        audit.mail = mails
        assert len([*auditor.mails(audit)]) == 1


def logged(caplog, status):
    """A line of log as the API writes it."""
    structlog.get_logger("marketplace.request").error("request", status=status)
    return caplog.messages[-1]


@pytest.mark.parametrize("line", [None, "[ERROR] Application callable raised an exception"])
def test_the_auditor_finds_a_defect_in_the_log(soak, tmp_path, caplog, line):
    line = line or logged(caplog, 500)
    (tmp_path / "api.log").write_text(f"{logged(caplog, 200)}\n{line}\nwhy\n")
    with soak.database() as database:
        audit = soak.auditor(database)
        audit.logs = tmp_path
        assert [*auditor.answers(audit)] == [f"api.log: {line}\nwhy"]


def test_the_auditor_finds_an_event_that_came_twice(soak):
    with soak.database() as database:
        audit = soak.auditor(database)
        subscriber = next(one for one in audit.subscribers.values() if one.received)
        subscriber.received.append(subscriber.received[-1])
        try:
            assert len([*auditor.streams(audit)]) == 1
        finally:
            subscriber.received.pop()


def test_the_auditor_finds_whoever_keeps_too_many_connections(soak, monkeypatch):
    monkeypatch.setattr(auditor, "CONNECTIONS", dict.fromkeys(auditor.CONNECTIONS, 0))
    with soak.database() as database:
        assert len([*auditor.connections(soak.auditor(database))]) == len(auditor.CONNECTIONS)


@pytest.mark.parametrize(
    ("name", "series", "found"),
    [
        ("memory", [{A: 100 * MIB}, {A: 150 * MIB}, {A: 155 * MIB}], []),  # warm by then
        (
            "memory",
            [{A: 100 * MIB}, {A: 150 * MIB}, {A: 170 * MIB}],
            ["api: memory grew from 157,286,400 to 178,257,920"],
        ),
        ("files", [{A: 40}, {A: 40}, {A: 50}], []),
        ("files", [{A: 40}, {A: 40}, {A: 90}], ["api: files grew from 40 to 90"]),
        ("files", [{A: 40}, {A: 40}, {B: 90}], []),  # another process
        ("memory", [{A: 100, B: 100}, {A: 110, B: 200}, {A: 200, B: 200}], []),  # it was cold
    ],
)
def test_what_grows_is_found(name, series, found):
    assert grown(name, series) == found


@pytest.mark.parametrize(
    ("status", "headers", "fault"),
    [
        (500, {"Content-Type": PROBLEM}, "a defect"),
        (502, {"Content-Type": PROBLEM}, "a defect"),
        (503, {"Content-Type": PROBLEM}, "no Retry-After"),
        (404, {"Content-Type": "text/html"}, "no problem document"),
        (200, {}, "not {201}"),
    ],
)
def test_a_client_notes_what_nobody_should_be_told(monkeypatch, status, headers, fault):
    monkeypatch.setattr(caller, "PATIENCE", 0)
    diary = Diary()
    client = caller.Caller("http://nowhere", diary)
    transport = httpx.MockTransport(lambda request: httpx.Response(status, headers=headers))
    client._http = httpx.Client(transport=transport, base_url="http://nowhere")

    with pytest.raises(caller.GaveUp):
        client.post("/bookings", {201})
    assert fault in diary.wrong[0]
