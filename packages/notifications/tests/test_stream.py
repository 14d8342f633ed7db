"""The stream, by real processes over real sockets: what comes, in which order, and what ends it."""

import asyncio
import json
import os
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import urlsplit

import psycopg
import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from psycopg import sql

from marketplace_kit import clock
from marketplace_kit.testing import run_jobs
from marketplace_notifications import actions, event_ids, hub
from marketplace_notifications.listener import Stream
from marketplace_notifications.models import Notification
from marketplace_notifications.sessions import Viewer
from marketplace_notifications.testing import make_notification

pytestmark = pytest.mark.django_db(transaction=True)
NEVER = 1_000_000  # seconds


def tell(person, number) -> None:
    """Tell somebody, and let the worker do what it then does."""
    actions.notify(person.pk, "parcel.lost", {"parcelId": number}, {"number": number})
    run_jobs()


def numbers(*of: object) -> list[str]:
    return [f"Parcel {number} is lost" for number in of]


# --- what comes ---


def test_an_event_is_what_the_inbox_shows(server, as_ann, ann, bob):
    with server.open(as_ann.session.session_key) as stream:
        tell(bob, 1)
        tell(ann, 2)
        event = stream.next()
    assert event["event"] == "parcel.lost"
    assert event["id"]
    inbox = as_ann.get("/api/notifications")
    assert inbox.content == b'{"items":[' + event["data"].encode() + b'],"nextCursor":null}'
    assert json.loads(event["data"])["title"] == "Parcel 2 is lost"


def test_it_starts_with_what_is_new(server, session_of, ann):
    tell(ann, 1)
    with server.open(session_of(ann)) as stream:
        tell(ann, 2)
        assert stream.titles(1) == numbers(2)


def test_it_resumes_behind_the_last_event(server, session_of, ann):
    with server.open(session := session_of(ann)) as stream:
        tell(ann, 1)
        first = stream.next()["id"]
        tell(ann, 2)
        second = stream.next()["id"]
    tell(ann, 3)
    tell(ann, 4)
    with server.open(session, last_id=first) as stream:
        assert stream.titles(3) == numbers(2, 3, 4)
    with server.open(session, lastEventId=second) as stream:
        assert stream.titles(2) == numbers(3, 4)
    with server.open(session, last_id=second, lastEventId=first) as stream:
        assert stream.titles(2) == numbers(3, 4)
    with server.open(session, last_id="", lastEventId=second) as stream:
        assert stream.titles(2) == numbers(3, 4)


def test_it_resumes_though_no_event_had_come(server, session_of, ann):
    with server.open(session := session_of(ann)) as stream:
        pass
    tell(ann, 1)
    with server.open(session, last_id=stream.last_id) as stream:
        assert stream.titles(1) == numbers(1)


def test_a_long_absence_comes_whole_and_in_order(server, session_of, ann):
    with server.open(session := session_of(ann)) as stream:
        pass
    for number in range(250):
        make_notification(ann.pk, title=str(number))
    actions.publish(ann.pk)
    with server.open(session, last_id=stream.last_id) as stream:
        assert stream.titles(250) == [str(number) for number in range(250)]


def test_an_id_is_the_same_on_every_process(server, start_stream, session_of, ann):
    other = start_stream()
    with server.open(session := session_of(ann)) as here, other.open(session) as there:
        tell(ann, 1)
        assert here.next() == there.next()


@pytest.mark.parametrize("kind", ["nonsense", "x:abc", "another's", "old", "future"])
def test_an_id_that_cannot_be_resumed_from_resets(kind, server, session_of, ann, bob):
    tell(ann, 1)
    yesterday = clock.now() - timedelta(hours=24, seconds=1)
    last_id = {
        "another's": event_ids.encode(bob.pk, 1, clock.now()),
        "old": event_ids.encode(ann.pk, 1, yesterday),
        "future": event_ids.encode(ann.pk, 2, clock.now()),
    }.get(kind, kind)
    with server.open(session := session_of(ann), last_id=last_id) as stream:
        reset = stream.next()
        assert (reset["event"], reset["data"]) == ("stream-reset", "{}")
        tell(ann, 2)
        assert stream.titles(1) == numbers(2)
    with server.open(session, last_id=reset["id"]) as stream:
        assert stream.titles(1) == numbers(2)


def test_silence_is_broken_by_a_sign_of_life(server, session_of, ann):
    with server.open(session_of(ann)) as stream:
        blocks = [stream.opened, stream.next_block(), stream.next_block()]
    assert [block["event"] for block in blocks] == ["keep-alive"] * 3
    assert all("data" not in block for block in blocks)


# --- who may ---


def test_the_answer_has_these_headers(server, session_of, ann):
    with server.open(session_of(ann)) as stream:
        headers = stream.answer.headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["X-Request-ID"]


def test_refusals_are_problem_documents(server):
    answer = server.get(headers={"X-Request-ID": "mine"})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["requestId"]) == ("not_authenticated", "mine")
    assert answer.headers["X-Request-ID"] == "mine"
    assert server.get(headers={"Cookie": "sessionid=nonsense"}).status_code == 401
    assert server.get(path="/api/elsewhere").json()["code"] == "not_found"
    post = server.get(method="POST")
    assert (post.status_code, post.headers["Allow"]) == (405, "GET")


def test_nobody_says_himself_who_he_is(server, session_of, ann):
    answer = server.get(params={"es-meta": "x"}, headers={"Cookie": f"sessionid={session_of(ann)}"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "query/es-meta")


def test_a_ticket_opens_one_stream(server, as_ann, ann):
    ticket = as_ann.post("/api/notifications/stream/ticket").json()["ticket"]
    with server.open(ticket=ticket) as stream:
        tell(ann, 1)
        assert stream.titles(1) == numbers(1)
    answer = server.get(params={"ticket": ticket})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_ticket")
    assert server.get(params={"ticket": ""}).status_code == 401


def test_a_ticket_dies_with_the_session_that_asked_for_it(server, as_ann):
    ticket = as_ann.post("/api/notifications/stream/ticket").json()["ticket"]
    as_ann.logout()
    assert server.get(params={"ticket": ticket}).status_code == 401


def test_a_process_holds_so_many_streams(start_stream, session_of, ann):
    server, session = start_stream(MAX_STREAMS=2), session_of(ann)
    with server.open(session), server.open(session):
        answer = server.get(headers={"Cookie": f"sessionid={session}"})
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_streams")
        assert int(answer.headers["Retry-After"]) > 0
    # Its place is free again once the process has noticed that a client has gone.
    server.until(lambda: opens(server, session))


def opens(server, session) -> bool:
    stream = server.open(session)
    status = stream.answer.status_code
    stream.__exit__()
    return status == 200


# --- what ends it ---


def test_the_end_of_the_session_closes_its_streams_and_no_others(server, session_of, ann):
    one, other = session_of(ann), session_of(ann)
    with server.open(one) as ending, server.open(other) as lasting:
        Session.objects.filter(pk=one).delete()
        assert ending.next() is None
        tell(ann, 1)
        assert lasting.titles(1) == numbers(1)


@pytest.fixture
def own_threads(monkeypatch):
    """The threads of the hub in this process end with the test, and so do the connections that they keep."""
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    hub._threads.cache_clear()
    yield
    hub._threads().shutdown()
    hub._threads.cache_clear()


@pytest.mark.usefixtures("own_threads")
def test_those_that_are_over_are_found_among_any_number(monkeypatch, settings, ann):
    monkeypatch.setattr(hub, "AT_ONCE", 2)
    ended = {"1", "3", "4"}
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "SESSIONS_ENDED": lambda keys: keys & ended}

    async def look() -> set[str]:
        streams = [Stream(Viewer(ann.pk, str(number), None), None) for number in range(5)]
        looking = hub.Hub()
        for stream in streams:
            looking.add(stream)
        try:
            await looking._end_those_over()
            return {stream.viewer.session_key for stream in streams if stream.over}
        finally:
            for stream in streams:
                looking.remove(stream)
            await looking.stop()

    assert asyncio.run(look()) == ended


def test_it_ends_with_the_credentials_that_opened_it(start_stream, as_ann):
    server = start_stream(SESSION_CHECK_SECONDS=NEVER)
    session = as_ann.session
    session.set_expiry(3)
    session.save()
    with server.open(session.session_key) as stream:
        assert stream.next() is None


def test_a_process_ends_though_streams_are_open(start_stream, session_of, ann):
    server = start_stream()
    with server.open(session_of(ann)) as stream:
        server.stop()
        assert stream.next() is None


# --- what it lives through ---


def test_hints_bring_events_at_once(start_stream, session_of, ann):
    """With no look at the database but the first one, nothing else could bring more than one of them."""
    with start_stream(SESSION_CHECK_SECONDS=NEVER).open(session_of(ann)) as stream:
        for number in range(5):
            tell(ann, number)
            assert stream.titles(1) == numbers(number)


def test_without_hints_events_come_nevertheless(start_stream, session_of, ann):
    for url in ("", "redis://127.0.0.1:1/0"):
        server = start_stream(SESSION_CHECK_SECONDS=NEVER, HINTS_URL=url)
        with server.open(session_of(ann)) as stream:
            for number in range(2):
                tell(ann, number)
                assert stream.titles(1) == numbers(number)


def test_the_database_may_break_off_its_connections(start_stream, session_of, ann):
    server = start_stream()
    with server.open(session_of(ann)) as stream:
        tell(ann, 1)
        assert stream.titles(1) == numbers(1)
        assert server.break_connections() > 0
        tell(ann, 2)
        assert stream.titles(1) == numbers(2)


def test_the_database_may_be_away_for_a_while(start_stream, session_of, ann):
    server, session = start_stream(), session_of(ann)
    with server.open(session) as stream:
        with no_new_connections():
            assert server.break_connections() > 0
            tell(ann, 1)
            answer = server.get(headers={"Cookie": f"sessionid={session}"})
            assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        assert stream.titles(1) == numbers(1)


@contextmanager
def no_new_connections():
    """Those that are open stay, ours among them."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/postgres").geturl()
    with psycopg.connect(url, autocommit=True) as other:
        name = sql.Identifier(connection.settings_dict["NAME"])
        other.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        try:
            yield
        finally:
            other.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))


def test_a_process_that_is_killed_loses_nothing(start_stream, session_of, ann):
    server = start_stream()
    with server.open(session := session_of(ann)) as stream:
        tell(ann, 1)
        assert stream.titles(1) == numbers(1)
        server.kill()
        assert stream.next() is None
    tell(ann, 2)
    server.start()
    with server.open(session, last_id=stream.last_id) as stream:
        tell(ann, 3)
        assert stream.titles(2) == numbers(2, 3)


def test_many_streams_share_a_few_threads_and_connections(start_stream, session_of, ann):
    server, session = start_stream(), session_of(ann)
    streams = [server.open(session).__enter__() for _ in range(30)]
    try:
        tell(ann, 1)
        assert [stream.titles(1) for stream in streams] == [numbers(1)] * 30
        # 4 that read, 1 for Django's signals, the main one, and a few of the libraries'.
        assert server.threads() <= 12
        assert server.connections() <= 4
    finally:
        for stream in streams:
            stream.__exit__()


def test_what_is_read_elsewhere_is_not_told_again(server, session_of, ann):
    with server.open(session_of(ann)) as stream:
        tell(ann, 1)
        assert stream.titles(1) == numbers(1)
        actions.mark_read(Notification.objects.get())
        actions.publish(ann.pk)
        tell(ann, 2)
        assert stream.titles(1) == numbers(2)
