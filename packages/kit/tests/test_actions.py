"""Transactions, jobs, mail, uploads, the clock."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from django.core.files.base import ContentFile
from django.core.mail import mailers
from django.db import OperationalError, connection, transaction
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.people.models import Thing

from marketplace_kit import clock, mail
from marketplace_kit.exceptions import NotFound
from marketplace_kit.ids import uuid7
from marketplace_kit.jobs import Deferred, defer, defer_all
from marketplace_kit.testing import run_jobs
from marketplace_kit.transactions import action, lock_row, sqlstate
from marketplace_kit.uploads import read_one

ran = []


@app.task(name="tests.note")
def note(text: str) -> None:
    ran.append(text)


def undone(code: str):
    """What PostgreSQL says when it undoes a transaction, said by PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("code", ["40P01", "40001"])
def test_an_action_that_was_undone_runs_once_more(code):
    tries = []

    @action
    def add():
        tries.append(1)
        Thing.objects.create(name="x")
        if len(tries) == 1:
            undone(code)

    add()

    assert (len(tries), Thing.objects.count()) == (2, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("code", "tries"), [("40P01", 2), ("57014", 1)])
def test_and_not_for_ever_nor_for_other_errors(code, tries):
    tried = []

    @action
    def add():
        tried.append(1)
        undone(code)

    with pytest.raises(OperationalError) as caught:
        add()
    assert (len(tried), sqlstate(caught.value)) == (tries, code)


@pytest.mark.django_db(transaction=True)
def test_what_an_action_has_done_on_commit_is_a_transaction_of_its_own():
    @action
    def fail():
        Thing.objects.create(name="lost")
        raise ValueError

    @action
    def add():
        Thing.objects.create(name="kept")
        transaction.on_commit(fail, robust=True)

    add()
    assert [thing.name for thing in Thing.objects.all()] == ["kept"]


@pytest.mark.django_db(transaction=True)
def test_inside_another_transaction_it_is_a_savepoint():
    @action
    def fail():
        Thing.objects.create(name="lost")
        raise ValueError

    with transaction.atomic():
        Thing.objects.create(name="kept")
        with pytest.raises(ValueError):
            fail()
    assert [t.name for t in Thing.objects.all()] == ["kept"]


@action
def add_and_fail(name):
    Thing.objects.create(name=name)
    raise ValueError


def test_inside_another_action_it_is_a_part_of_it(db, django_assert_num_queries):
    @action
    def add():
        Thing.objects.create(name="inner")

    @action
    def add_two():
        Thing.objects.create(name="outer")
        add()

    with django_assert_num_queries(4):  # of which two are the savepoint in the test's own transaction
        add_two()
    assert Thing.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_and_is_undone_with_the_whole():
    @action
    def outer():
        Thing.objects.create(name="outer")
        add_and_fail("inner")

    with pytest.raises(ValueError):
        outer()
    assert not Thing.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_who_catches_its_refusal_says_what_is_undone():
    @action
    def outer():
        with suppress(ValueError):
            add_and_fail("kept")
        with suppress(ValueError), transaction.atomic():
            add_and_fail("undone")

    outer()
    assert [thing.name for thing in Thing.objects.all()] == ["kept"]


@pytest.mark.django_db(transaction=True)
def test_an_action_that_failed_leaves_no_trace_in_its_thread():
    for name in ("one", "two"):
        with pytest.raises(ValueError):
            add_and_fail(name)
    assert not Thing.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_was_undone_inside_another_action_is_run_again_as_a_whole():
    tries = []

    @action
    def inner():
        if len(tries) == 1:
            undone("40P01")

    @action
    def outer():
        tries.append(1)
        Thing.objects.create(name="x")
        inner()

    outer()
    assert (len(tries), Thing.objects.count()) == (2, 1)


@pytest.mark.django_db
def test_a_row_that_is_gone_is_not_found():
    with pytest.raises(NotFound):
        lock_row(Thing.objects.all(), 7)


@pytest.mark.django_db
def test_jobs_are_part_of_the_transaction():
    ran.clear()
    with pytest.raises(ValueError), transaction.atomic():
        defer("tests.note", text="lost")
        raise ValueError
    defer("tests.note", text="kept")
    defer("tests.note", after=timedelta(minutes=1), text="later")

    assert run_jobs() == 1
    assert ran == ["kept"]
    assert ProcrastinateJob.objects.get().args == {"text": "later"}


@pytest.mark.django_db
def test_several_jobs_are_one_statement(django_assert_num_queries):
    ran.clear()
    with django_assert_num_queries(0):
        defer_all([])
    with django_assert_num_queries(1):
        defer_all(
            [
                Deferred("tests.note", {"text": "first"}),
                Deferred("tests.note", {"text": "later"}, timedelta(minutes=1)),
                Deferred("tests.note", {"text": "second"}),
            ]
        )

    assert run_jobs() == 2
    assert ran == ["first", "second"]
    assert ProcrastinateJob.objects.get().args == {"text": "later"}


@pytest.mark.django_db
def test_jobs_and_what_they_are_about_are_one_statement(django_assert_num_queries):
    ran.clear()
    with django_assert_num_queries(0):
        defer_all([], storing=[])
    with django_assert_num_queries(2):
        defer_all([Deferred("tests.note", {"text": "of both"})], storing=[Thing(name="a"), Thing(name="b")])
        defer_all([], storing=[Thing(name="c")])

    assert run_jobs() == 1
    assert ran == ["of both"]
    assert [*Thing.objects.order_by("name").values_list("name", flat=True)] == ["a", "b", "c"]


@pytest.fixture
def mailbox(tmp_path, settings):
    options = {"file_path": str(tmp_path / "mail")}
    settings.MAILERS = {"default": {"BACKEND": "marketplace_kit.mail.FileBackend", "OPTIONS": options}}
    return tmp_path / "mail"


def test_a_mail_sent_twice_is_one_file(mailbox):
    for _ in range(2):
        mail.send("key-1", "you@example.com", "Two\nlines", "Text.", "<p>HTML.</p>")
    mail.send("key-2", "you@example.com", "Other", "Text.")

    files = sorted(mailbox.iterdir())
    assert len(files) == 2
    assert all(f.suffix == ".eml" for f in files)
    subjects = {message_from_bytes(f.read_bytes())["Subject"] for f in files}
    assert subjects == {"Two lines", "Other"}
    ids = {message_from_bytes(f.read_bytes())["Message-ID"] for f in files}
    assert "<key-1@example.com>" in ids
    assert mailers is not None


def test_a_mail_is_marked_as_written_by_a_program_and_carries_its_parts(mailbox):
    parts = [
        mail.Part("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "text/calendar; method=REQUEST"),
        mail.Part(b"\x00\xff", "application/octet-stream", "some.bin"),
    ]
    mail.send("key", "you@example.com", "Subject", "Täxt.", "<p>HTML.</p>", headers={"X-Mine": "1"}, parts=parts)

    [file] = mailbox.iterdir()
    message = message_from_bytes(file.read_bytes(), policy=default)
    assert (message["Auto-Submitted"], message["X-Mine"]) == ("auto-generated", "1")
    leaves = [part for part in message.walk() if not part.is_multipart()]
    assert [leaf.get_content_type() for leaf in leaves] == [
        *("text/plain", "text/html", "text/calendar", "application/octet-stream"),
    ]
    text, _, calendar, binary = leaves
    assert text.get_content().strip() == "Täxt."
    assert calendar["Content-Type"].params["method"] == "REQUEST"
    assert calendar["Content-Disposition"] is None  # it is another form of the text, which calendars look at
    assert (binary.get_filename(), binary.get_content()) == ("some.bin", b"\x00\xff")


def test_the_clock_can_be_set_and_goes_back():
    moment = datetime(2027, 1, 1, 12, tzinfo=UTC)

    with clock.frozen(moment):
        assert clock.now() == moment == clock.now()
    with clock.shifted(timedelta(days=1)):
        assert clock.now() - datetime.now(UTC) > timedelta(hours=23)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(hours=1)
    assert clock.now().tzinfo is UTC


def test_keys_are_ordered_by_time():
    keys = [uuid7() for _ in range(1000)]

    assert {key.version for key in keys} == {7}
    assert [k.int >> 80 for k in keys] == sorted(k.int >> 80 for k in keys)


@pytest.mark.parametrize(
    ("content", "status"), [(b"x" * 1000, 200), (b"x" * 1001, 413), (b"x" * 70_000, 413), (b"", 200)]
)
def test_a_file_by_put(anybody, content, status):
    answer = anybody.upload("/api/file", ContentFile(content, name="a.txt"), method="PUT")

    assert answer.status_code == status, answer.content


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"--x--\r\n", "multipart/form-data; boundary=x", 422),
        (b"nonsense", "multipart/form-data; boundary=x", 422),
        (b"nonsense", "multipart/form-data", 400),
        (b"nonsense", "multipart/form-data; boundary=\xc3\xa9", 400),
        (b"{}", "application/json", 415),
    ],
)
def test_bodies_that_hold_no_file(anybody, body, media_type, status):
    answer = anybody.generic("PUT", "/api/file", body, content_type=media_type)

    assert answer.status_code == status, answer.content


def put_parts(client, parts):
    body = encode_multipart(BOUNDARY, {"file": ContentFile(b"hello", name="a.txt")} | parts)
    return client.generic("PUT", "/api/file", body, content_type=MULTIPART_CONTENT)


def test_parts_that_there_are_none_of_are_told_like_unknown_fields(anybody, member):
    told = member.post("/api/orders", {"name": "Tea", "a/~b": 1}).json()["errors"][0]
    other = ContentFile(b"hello", name="b.txt")
    answer = put_parts(anybody, {"role": "staff", "a/~b": "x", "other": other, "csrfmiddlewaretoken": "x"})

    assert answer.status_code == 422
    pointers = ["/a~1~0b", "/csrfmiddlewaretoken", "/other", "/role"]
    assert answer.json()["errors"] == [told | {"pointer": pointer} for pointer in pointers]


def test_all_that_is_wrong_with_the_parts_is_told_at_once(anybody):
    answer = put_parts(anybody, {"file": "only text", "role": "staff"})

    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
        ("/file", "missing"),
        ("/role", "extra_forbidden"),
    ]


@pytest.mark.parametrize("parts", [{}, {"csrfmiddlewaretoken": "x"}])
def test_a_file_that_the_protection_of_sessions_has_read(rf, parts):
    request = rf.post("/", {"file": ContentFile(b"hello", name="a.txt")} | parts)
    assert ("csrfmiddlewaretoken" in request.POST) is bool(parts)  # it looks there before it looks at the headers

    assert read_one(request, 5).read() == b"hello"
