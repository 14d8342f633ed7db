"""The same request twice is one thing done, whatever dies, hurries or is repeated in between."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier, Event, Lock

import pytest
from django.db import connection, connections
from hypothesis import given
from hypothesis import strategies as st
from tests import urls_marks
from tests.people.models import Person, Thing, Work
from tests.urls_marks import LEASE, OUTCOMES, api, at, passed

from marketplace_kit import clock, idempotency, tasks
from marketplace_kit.idempotency import body_hash
from marketplace_kit.models import IdempotencyKey
from marketplace_kit.testing import JsonClient

pytestmark = [pytest.mark.urls("tests.urls_marks"), pytest.mark.django_db]
in_threads = pytest.mark.django_db(transaction=True)
BOTH = pytest.mark.parametrize("root", ["/api", "/api/hosts"])
PATHS = pytest.mark.parametrize("path", ["/api/things", "/api/works"])


class Killed(BaseException):
    """The process is gone: nobody's `except Exception` sees it."""


def kill():
    raise Killed


@pytest.fixture(autouse=True)
def fresh():
    passed.clear()


@pytest.fixture
def other(db):
    client = JsonClient()
    client.force_login(Person.objects.create(login="other"))
    return client


def send(client, path, name="Tea", key="k-1", **more):
    return client.post(path, {"name": name} | more, headers={"Idempotency-Key": key} if key else {})


def told(answer):
    return answer.status_code, answer.content, answer.get("Location"), answer["Content-Type"]


def is_replayed(answer):
    return answer.get("Idempotent-Replayed") == "true"


def code_of(answer):
    return answer.status_code, answer.json()["code"]


# --- the first answer again ---


@BOTH
@pytest.mark.parametrize("path", ["/things", "/works"])
def test_a_repeated_request_gets_the_first_answer(member, root, path):
    first, second = send(member, root + path), send(member, root + path)

    assert first.status_code == 201
    assert first["Location"].startswith(root + path)
    assert told(second) == told(first)
    assert (is_replayed(first), is_replayed(second)) == (False, True)
    assert Thing.objects.count() + Work.objects.count() == 1


@BOTH
@pytest.mark.parametrize(
    ("path", "name", "status"),
    [("/things", "taken", 409), ("/things", "declined", 402), ("/works", "declined", 402), ("/works", "taken", 409)],
)
def test_what_the_action_refused_is_told_again(member, root, path, name, status):
    first, second = (send(member, root + path, name) for _ in range(2))

    assert (first.status_code, first["Content-Type"]) == (status, "application/problem+json")
    assert told(second) == told(first)
    assert second.json()["requestId"] == first["X-Request-ID"] != second["X-Request-ID"]
    assert (is_replayed(first), is_replayed(second)) == (False, True)
    assert not Thing.objects.exists()


@PATHS
@pytest.mark.parametrize("name", [n for n in OUTCOMES if n not in ("taken", "declined")])
def test_other_answers_are_not_kept(member, path, name):
    first, second = send(member, path, name), send(member, path, name)

    assert first.status_code == second.status_code
    assert not is_replayed(second)
    assert len(passed) == 2
    assert not Thing.objects.exists()
    assert not Work.objects.exists()


@PATHS
@pytest.mark.parametrize("name", ["missing", "forbidden", "invalid"])
def test_a_key_whose_request_was_refused_may_come_with_another_body(member, path, name):
    send(member, path, name)

    assert send(member, path, "Tea").status_code == 201


@PATHS
def test_without_a_key_nothing_is_kept(member, path):
    statuses = [send(member, path, name, key=None).status_code for name in ("one", "two", "taken", "declined")]

    assert statuses == [201, 201, 409, 402]
    assert not IdempotencyKey.objects.exists()


# --- what is the same ---


@PATHS
def test_another_body_is_refused(member, path):
    send(member, path, "Tea")
    answer = send(member, path, "Coffee")

    assert code_of(answer) == (422, "idempotency_key_reused")
    assert [e["pointer"] for e in answer.json()["errors"]] == ["header/Idempotency-Key"]
    assert told(send(member, path, "Tea"))[0] == 201


@PATHS
@pytest.mark.parametrize(
    "raw",
    [
        '{"name":"Tea","price":50,"tags":{"a":1,"b":[0]}}',
        ' {"tags" : {"b":[-0.0],"a":1.0},\n"price": 50.00, "name":"\\u0054ea"}',
        '{"tags":{"b":[0e5],"a":10e-1},"name":"Tea","price":5e1}',
    ],
)
def test_bodies_are_compared_as_values(member, path, raw):
    send(member, path, price=50.0, tags={"b": [0], "a": 1})

    answer = member.generic("POST", path, raw, "application/json", headers={"Idempotency-Key": "k-1"})

    assert (answer.status_code, is_replayed(answer)) == (201, True), answer.content


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["1", "()", "[]"])
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=2), v, max_size=3))


def strictly(value):
    """A form in which values are equal only where they are the same JSON."""
    return json.dumps(value, sort_keys=True)


@given(one=values, two=values)
def test_the_hash_tells_values_apart_and_nothing_else(one, two):
    hashes = {body_hash(json.dumps(v, indent=i).encode()) for v in (one, two) for i in (None, 2)}

    assert len(hashes) == (1 if strictly(one) == strictly(two) else 2)


@pytest.mark.parametrize("raw", [b"", b"nope", b"\xff", b'{"a":1,"a":2}', b"[1e999999999]", b'"\\ud800"'])
def test_any_bytes_have_a_hash(raw):
    assert body_hash(raw) == body_hash(raw) != body_hash(raw + b"1")


@PATHS
def test_keys_are_per_user_and_path(member, other, path):
    answers = [send(member, path, "a"), send(other, path, "b"), send(member, path.replace("/api", "/api/hosts"), "c")]
    answers += [send(member, path, "d", key="K-1"), send(member, "/api/things/7/copies", "e")]

    assert [a.status_code for a in answers] == [201] * 5
    assert not any(map(is_replayed, answers))


def test_keys_are_per_method(member):
    answers = [
        call("/api/things/7/copies", {"name": name}, headers={"Idempotency-Key": "k-1"})
        for call, name in ((member.post, "a"), (member.put, "b"), (member.put, "b"))
    ]

    assert [(a.status_code, is_replayed(a)) for a in answers] == [(201, False), (201, False), (201, True)]


@PATHS
@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é", "a\x7f", "a\tb"])
def test_a_key_that_is_none(member, path, key):
    answer = member.post(path, {"name": "Tea", "nope": 1}, HTTP_IDEMPOTENCY_KEY=key)

    assert answer.status_code == 422, answer.content
    assert {e["pointer"] for e in answer.json()["errors"]} == {"header/Idempotency-Key", "/nope"}
    assert not passed


@PATHS
@pytest.mark.parametrize("key", ["x", "x" * 255, '"quoted"', "!~"])
def test_a_key_that_is_one(member, path, key):
    assert [send(member, path, key=key).status_code for _ in range(2)] == [201, 201]
    assert IdempotencyKey.objects.get().key == key


# --- order ---


@PATHS
def test_who_and_what_are_looked_at_before_the_key(member, anybody, path):
    send(member, path)

    assert send(anybody, path).status_code == 401
    assert send(member, path, nope=1).status_code == 422
    assert member.generic("POST", path, "{", "application/json", headers={"Idempotency-Key": "k-1"}).status_code == 400
    assert code_of(send(member, path, name=""))[1] == "validation_error"


def test_a_replay_comes_before_the_endpoint_looks(member):
    send(member, "/api/things", "Tea")

    with at("making", kill):
        assert send(member, "/api/things", "Tea").status_code == 201


# --- time ---


@PATHS
def test_a_key_is_kept_for_a_day(member, path):
    first = send(member, path, "one")
    with clock.shifted(timedelta(hours=24) - timedelta(seconds=5)):
        assert told(send(member, path, "one")) == told(first)
    with clock.shifted(timedelta(hours=24)):
        again = send(member, path, "two")

    assert (again.status_code, is_replayed(again)) == (201, False)
    assert IdempotencyKey.objects.count() == 1


def test_old_keys_are_swept(member):
    send(member, "/api/things", key="old")
    with clock.shifted(timedelta(hours=12)):
        send(member, "/api/things", key="new")
    with clock.shifted(timedelta(hours=24)):
        tasks.forget_keys(0)

    assert [row.key for row in IdempotencyKey.objects.all()] == ["new"]


# --- at the same time ---


def at_once(count, call):
    barrier = Barrier(count)

    def run(_):
        try:
            with connection.cursor():  # connect before the start
                pass
            barrier.wait()
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def in_a_thread(call):
    def run():
        try:
            return call()
        finally:
            connections.close_all()

    pool = ThreadPoolExecutor(1)
    future = pool.submit(run)
    pool.shutdown(wait=False)
    return future


@in_threads
@pytest.mark.parametrize(("path", "point", "other"), [("/api/things", "making", 409), ("/api/works", "begun", 422)])
def test_while_the_first_runs_the_second_is_told_so(member, path, point, other):
    inside, go_on = Event(), Event()

    def wait():
        inside.set()
        assert go_on.wait(20)

    with at(point, wait):
        first = in_a_thread(lambda: send(member, path))
        assert inside.wait(20)
        meanwhile = send(member, path)
        elsewhere = send(member, path, "other body")
        go_on.set()
        answer = first.result(20)

    assert code_of(meanwhile) == (409, "idempotency_in_progress")
    assert elsewhere.status_code == other  # in one transaction the first one's body is not to be seen yet
    assert answer.status_code == 201
    assert told(send(member, path)) == told(answer)
    assert passed.count(point) == 1


@in_threads
@pytest.mark.parametrize(("path", "model"), [("/api/things", Thing), ("/api/works", Work)])
def test_twenty_at_once_are_one(member, path, model):
    answers = at_once(20, lambda: send(member, path))

    done = [a for a in answers if a.status_code == 201]
    assert sum(not is_replayed(a) for a in done) == 1
    assert len({a.content for a in done}) == 1
    assert {code_of(a) for a in answers if a not in done} <= {(409, "idempotency_in_progress")}
    assert model.objects.count() == IdempotencyKey.objects.count() == 1


@in_threads
@PATHS
def test_twenty_that_come_later_all_hear_the_answer(member, path):
    """They are in each other's way, and none of them is the first."""
    first = send(member, path)

    answers = at_once(20, lambda: send(member, path))

    assert {told(a) for a in answers} == {told(first)}
    assert all(map(is_replayed, answers))


@in_threads
@pytest.mark.parametrize(("path", "point", "late"), [("/api/things", "making", 409), ("/api/works", "claimed", 500)])
def test_control_without_the_lock_they_work_side_by_side(member, path, point, late, monkeypatch):
    """Were this to pass with one at work, the test above would prove nothing. The constraint then lets one be kept."""
    find, together = idempotency._find, Barrier(4)

    def all_look_before_anyone_writes(asked):
        found = find(asked)
        together.wait(20)
        return found

    monkeypatch.setattr(idempotency, "_is_new", lambda asked: False)
    monkeypatch.setattr(idempotency, "_try_lock", lambda asked: True)
    monkeypatch.setattr(idempotency, "_find", all_look_before_anyone_writes)

    statuses = sorted(a.status_code for a in at_once(4, lambda: send(member, path)))

    assert statuses == [201, late, late, late]
    assert IdempotencyKey.objects.count() == 1
    if path == "/api/things":
        assert passed.count(point) == 4


# --- dying on the way ---

POINTS = ["claimed", "begun", "asked", "recording", "recorded"]


@in_threads
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("name", ["Tea", "declined"])
def test_a_retry_goes_on_where_the_first_one_died(member, point, name):
    with at(point, kill), suppress(Killed):
        send(member, "/api/works", name)
    begun = [w.pk for w in Work.objects.all()]
    early = send(member, "/api/works", name)
    with clock.shifted(LEASE):
        late = send(member, "/api/works", name)
        again = send(member, "/api/works", name)

    stored = point == "recorded"  # the answer with the work, in one transaction
    expected = 402 if name == "declined" else 201
    assert early.status_code == (expected if stored else 409)
    assert stored or code_of(early) == (409, "idempotency_in_progress")
    assert late.status_code == expected
    assert is_replayed(late) is stored
    assert told(again) == told(late)
    work = Work.objects.get()
    assert work.is_done
    assert begun in ([], [work.pk])
    assert late.json()["id" if name == "Tea" else "workId"] == str(work.pk)


@in_threads
def test_one_transaction_dies_whole_and_leaves_the_key_usable(member):
    with at("making", kill), suppress(Killed):
        send(member, "/api/things")
    assert not IdempotencyKey.objects.exists()

    assert send(member, "/api/things").status_code == 201
    assert Thing.objects.count() == 1


@in_threads
def test_what_broke_on_our_side_is_gone_on_with_at_once(member):
    def break_down():
        raise ZeroDivisionError

    with at("begun", break_down):
        assert send(member, "/api/works").status_code == 500
    assert code_of(send(member, "/api/works", "other"))[1] == "idempotency_key_reused"

    assert send(member, "/api/works").status_code == 201
    assert Work.objects.count() == 1


@in_threads
def test_a_try_that_outlived_its_lease_changes_nothing_for_the_one_after_it(member):
    """The first comes back when the second has answered: the work is one, and so is the stored answer."""
    inside, go_on = Event(), Event()
    once = Lock()

    def wait_the_first_time():
        if once.acquire(blocking=False):
            inside.set()
            assert go_on.wait(20)

    with at("begun", wait_the_first_time):
        slow = in_a_thread(lambda: send(member, "/api/works"))
        assert inside.wait(20)
        with clock.shifted(LEASE):
            quick = send(member, "/api/works")
        go_on.set()
        assert slow.result(20).status_code == 201

    assert quick.status_code == 201
    assert told(send(member, "/api/works")) == told(quick)
    assert Work.objects.count() == 1


@in_threads
def test_a_refusal_that_comes_after_the_lease_does_not_take_the_key_from_the_next(member):
    inside, go_on = Event(), Event()
    once = Lock()

    def be_refused_late_the_first_time():
        if once.acquire(blocking=False):
            inside.set()
            assert go_on.wait(20)
            raise OUTCOMES["missing"]

    with at("claimed", be_refused_late_the_first_time):
        slow = in_a_thread(lambda: send(member, "/api/works"))
        assert inside.wait(20)
        with clock.shifted(LEASE), at("begun", kill), suppress(Killed):
            send(member, "/api/works")
        go_on.set()
        assert slow.result(20).status_code == 404
    with clock.shifted(2 * LEASE):
        assert send(member, "/api/works").status_code == 201
    assert Work.objects.count() == 1


@in_threads
def test_a_retry_that_is_refused_keeps_what_was_begun(member):
    def refuse():
        raise OUTCOMES["forbidden"]

    with at("begun", kill), suppress(Killed):
        send(member, "/api/works")
    with clock.shifted(LEASE):
        with at("claimed", refuse):
            assert send(member, "/api/works").status_code == 403
        assert send(member, "/api/works").status_code == 201
    assert Work.objects.count() == 1


@in_threads
def test_a_deadlock_is_tried_once_more(member):
    tries = []

    def be_undone_the_first_time():
        tries.append(1)
        if len(tries) == 1:
            with connection.cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$")

    with at("making", be_undone_the_first_time):
        assert send(member, "/api/things").status_code == 201
    assert (len(tries), Thing.objects.count()) == (2, 1)


# --- the document ---


@pytest.mark.parametrize("path", ["/api/things", "/api/works"])
def test_the_document_says_so(path):
    operation = api.get_openapi_schema(path_prefix="/api/")["paths"][path]["post"]

    (header,) = operation["parameters"]
    assert (header["in"], header["name"], header["required"]) == ("header", "Idempotency-Key", False)
    assert header["description"]
    assert header["schema"]["type"] == "string"
    assert (header["schema"]["minLength"], header["schema"]["maxLength"]) == (1, 255)
    responses = operation["responses"]
    assert "`idempotency_in_progress`" in responses[409]["description"]
    assert "`taken`" in responses[409]["description"]
    assert "`idempotency_key_reused`" in responses[422]["description"]
    assert [s for s, r in responses.items() if "Idempotent-Replayed" in r.get("headers", {})] == [201, 402, 409]


def test_hooks_are_left_as_they_were():
    assert not urls_marks.hooks
