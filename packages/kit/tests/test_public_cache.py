"""Kept public answers: fast, and never old once a write has been answered."""

import threading
from typing import ClassVar

import pytest
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st
from tests.people.models import Thing

from marketplace_kit import public_cache
from marketplace_kit.public_cache import move_on
from marketplace_kit.testing import JsonClient

PATH = "/api/kept-things"


@pytest.fixture(autouse=True)
def keeping(settings, monkeypatch):
    settings.KIT = {**settings.KIT, "PUBLIC_CACHE_SECONDS": 60}
    cache.clear()
    monkeypatch.setattr(public_cache, "_resting_until", 0.0)
    monkeypatch.setattr(public_cache, "asked", public_cache.Asked())


def names(client=None, query=""):
    """What is answered the second time: the first one is not kept."""
    for _ in range(2):
        answer = (client or JsonClient()).get(f"{PATH}?{query}")
        assert answer.status_code == 200, answer.content
    return [item["name"] for item in answer.json()["items"]]


@pytest.mark.django_db
def test_who_comes_after_the_second_asks_the_database_for_nothing(django_assert_num_queries):
    Thing.objects.create(name="a")

    with django_assert_num_queries(2):
        first, _ = JsonClient().get(PATH), JsonClient().get(PATH)
    with django_assert_num_queries(0):
        second = JsonClient().get(PATH)

    assert (first.content, first["ETag"], first["Content-Type"]) == (
        second.content,
        second["ETag"],
        second["Content-Type"],
    )
    assert first["X-Request-ID"] != second["X-Request-ID"]
    assert JsonClient().get(PATH, headers={"If-None-Match": first["ETag"]}).status_code == 304


@pytest.mark.django_db
def test_what_is_asked_for_once_is_neither_looked_up_nor_kept(settings):
    settings.CACHES = {"default": {"BACKEND": "tests.test_public_cache.Watched"}}
    Watched.calls.clear()
    for limit in range(1, 100):
        JsonClient().get(f"{PATH}?limit={limit}")
    assert Watched.calls == []

    JsonClient().get(f"{PATH}?limit=1")
    assert {"get_many", "set"} <= {*Watched.calls}


class Watched(LocMemCache):
    """It tells what it is asked."""

    calls: ClassVar[list[str]] = []

    def get_many(self, *args, **kwargs):
        self.calls.append("get_many")
        return super().get_many(*args, **kwargs)

    def set(self, *args, **kwargs):
        self.calls.append("set")
        return super().set(*args, **kwargs)


@pytest.mark.parametrize(("seconds", "known"), [(0, True), (59, True), (60, True), (119, True), (121, False)])
def test_it_is_known_what_was_asked_for_of_late(monkeypatch, seconds, known):
    monkeypatch.setattr(public_cache, "time", clock := Clock())
    asked = public_cache.Asked()
    assert not asked.before(1)
    clock.now += min(seconds, 60)
    asked.before(2)
    clock.now += seconds - min(seconds, 60)

    assert asked.before(1) == known


@given(st.lists(st.integers(0, 300), max_size=1000))
def test_however_much_is_asked_for_little_is_remembered(questions):
    asked = public_cache.Asked(most=50)
    for place, question in enumerate(questions):
        late = set(questions[max(0, place - 50) : place])
        known = asked.before(question)
        assert known >= (question in late)
        assert known <= (question in questions[:place])
        assert len(asked._late) + len(asked._later) <= 100


@pytest.mark.django_db
def test_what_is_written_is_read_by_whoever_comes_next(django_capture_on_commit_callbacks):
    assert names() == []
    with django_capture_on_commit_callbacks(execute=True):
        Thing.objects.create(name="a")
        move_on("things")

    assert names() == ["a"]


@pytest.mark.django_db
def test_control_without_moving_on_the_old_answer_is_read():
    assert names() == []
    Thing.objects.create(name="a")

    assert names() == []


def write_while_another_reads():
    """Another connection asks, and has its answer kept, while the writer's transaction is open."""
    with transaction.atomic():
        Thing.objects.create(name="a")
        move_on("things")
        assert asked_by_another() == []


def asked_by_another():
    found = []

    def ask():
        try:
            found.append(names())
        finally:
            connection.close()

    other = threading.Thread(target=ask)
    other.start()
    other.join(20)
    return found[0]


@pytest.mark.django_db(transaction=True)
def test_who_read_before_the_commit_kept_nothing_that_is_read_after_it():
    write_while_another_reads()

    assert names() == ["a"]


@pytest.mark.django_db(transaction=True)
def test_control_without_the_second_step_it_is_read(monkeypatch):
    monkeypatch.setattr(transaction, "on_commit", lambda then: None)
    write_while_another_reads()

    assert names() == []


@pytest.mark.django_db
def test_a_rollback_leaves_the_answer_as_it_was():
    assert names() == []
    with pytest.raises(ValueError), transaction.atomic():
        Thing.objects.create(name="a")
        move_on("things")
        raise ValueError

    assert names() == []


@pytest.mark.django_db
def test_a_signed_in_caller_neither_reads_nor_leaves_one(member):
    assert names(member) == []
    Thing.objects.create(name="a")

    assert names(member) == ["a"]
    assert names() == ["a"]
    Thing.objects.create(name="b")
    assert names(member) == ["a", "b"]


@pytest.mark.django_db
def test_each_question_has_its_own_answer():
    for name in "ab":
        Thing.objects.create(name=name)

    assert names(query="limit=1") == ["a"]
    assert names(query="limit=2") == ["a", "b"]
    assert names(query="limit=1&x=1") == ["a"]
    assert JsonClient().get(f"{PATH}?limit=0").status_code == 422
    assert JsonClient().get(f"{PATH}?limit=0").status_code == 422


@pytest.mark.django_db
@pytest.mark.parametrize("first", ["HEAD", "OPTIONS", "POST"])
def test_another_method_leaves_nothing_for_a_get(first):
    Thing.objects.create(name="a")
    JsonClient().generic(first, PATH)

    assert names() == ["a"]
    assert int(JsonClient().head(PATH)["Content-Length"]) == len(JsonClient().get(PATH).content)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("limit=1&x=2", "x=2&limit=1"),
        ("x=1&x=2", "x=1&x=2"),
        ("x=%41", "x=A"),
        ("x=a+b", "x=a%20b"),
    ],
)
def test_the_same_question_has_one_answer(one, other, django_assert_num_queries):
    names(query=one)
    JsonClient().get(PATH, QUERY_STRING=other)  # what nobody has written like this before is not looked up

    with django_assert_num_queries(0):
        names(query=other)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x=1&x=2", "x=2&x=1"),
        ("x=", ""),
        ("x=1&y=2", "x=2&y=1"),
        ("x=1%26y=2", "x=1&y=2"),
        (b"x=\xc3\xa9".decode("latin-1"), "x=%C3%83%C2%A9"),  # as it is in the environment of WSGI
        ("x=%00", "x="),
    ],
)
def test_other_questions_have_others(one, other, django_assert_num_queries):
    def ask(query):
        for _ in range(2):
            JsonClient().get(PATH, QUERY_STRING=query)

    ask(one)
    with django_assert_num_queries(2):
        ask(other)


@pytest.mark.django_db
def test_headers_change_nothing_and_get_nothing(django_assert_num_queries):
    Thing.objects.create(name="a")
    JsonClient().get(PATH)
    first = JsonClient().get(
        PATH, headers={"Accept": "text/html", "X-Request-ID": "mine", "Origin": "https://a.example"}
    )

    with django_assert_num_queries(0):
        second = JsonClient().get(PATH, headers={"Accept-Encoding": "gzip", "Accept-Language": "de"})

    assert first.content == second.content
    assert (first["X-Request-ID"], second["X-Request-ID"] == "mine") == ("mine", False)


class Dead(LocMemCache):
    """It fails so many times."""

    failures = 0

    def _fail(self, *args, **kwargs):
        if type(self).failures > 0:
            type(self).failures -= 1
            raise ConnectionError
        return super().set(*args, **kwargs)

    set = _fail


class Clock:
    """Time passes only while somebody waits."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.django_db
@pytest.mark.parametrize(("failures", "waited"), [(0, 0), (1, 0), (2, 0.1), (5, 0.4), (100_000, 120)])
def test_a_writer_waits_for_the_cache_or_for_the_end_of_what_it_holds(
    settings, monkeypatch, failures, waited, django_capture_on_commit_callbacks
):
    settings.CACHES = {"default": {"BACKEND": "tests.test_public_cache.Dead"}}
    monkeypatch.setattr(Dead, "failures", failures)
    monkeypatch.setattr(public_cache, "time", clock := Clock())

    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            move_on("things")

    assert clock.now - 1000 == pytest.approx(waited, abs=0.2)


@pytest.mark.django_db
def test_a_cache_that_is_down_is_gone_without(settings):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
    }
    assert names() == []
    Thing.objects.create(name="a")
    move_on("things")

    assert names() == ["a"]
