"""Who may ask how often, and what is told about it. That it is exact across processes, the root's suite proves."""

import re
import time
from collections.abc import Iterator

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from structlog.testing import capture_logs
from tests.people.models import Person
from tests.urls_limits import api

from marketplace_kit import ratelimits
from marketplace_kit.ratelimits import bucket
from marketplace_kit.rates import parse
from marketplace_kit.testing import JsonClient

pytestmark = pytest.mark.urls("tests.urls_limits")

LIMITS = {"enter": {"name": "2/h", "address": "4/h"}, "write": {"user": "3/h"}, "read": {"user": "5/h"}}
TELLS = re.compile(r'"(\w+)";r=(\d+);t=(\d+)')


class DeadCache(LocMemCache):
    """A cache whose server is down."""

    asked = 0

    def add(self, *args: object, **kwargs: object) -> bool:
        type(self).asked += 1
        raise ConnectionError("nobody there")


class ForgetfulCache(LocMemCache):
    """A cache that throws out what it was just given."""

    def add(self, *args: object, **kwargs: object) -> bool:
        return False

    def incr(self, *args: object, **kwargs: object) -> int:
        raise ValueError("no such key")


@pytest.fixture(autouse=True)
def limits(settings) -> Iterator[None]:
    settings.KIT = {**settings.KIT, "RATE_LIMITS": LIMITS}
    settings.RATELIMIT_USE_CACHE = "limits"
    use(settings, "django.core.cache.backends.locmem.LocMemCache")
    caches["limits"].clear()
    yield
    ratelimits.outage.over_at, ratelimits.outage.told_at = 0.0, float("-inf")


def use(settings, backend: str) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
        "limits": {"BACKEND": backend, "LOCATION": "limits"},
    }


def told(answer) -> tuple[str, int]:
    kind, left, seconds = TELLS.fullmatch(answer["RateLimit"]).groups()
    assert 1 <= int(seconds) <= 3600
    return kind, int(left)


def enter(client: JsonClient, name: str = "Ada", **extra: str):
    return client.post("/api/enter", {"name": name}, **extra)


# --- what is counted ---


def test_every_answer_tells_what_is_left(anybody):
    answers = [enter(anybody) for _ in range(3)]

    assert [told(answer) for answer in answers] == [("name", 1), ("name", 0), ("name", 0)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert {answer["RateLimit-Policy"] for answer in answers} == {'"name";q=2;w=3600, "address";q=4;w=3600'}


def test_one_too_many_is_a_problem_that_says_when_to_come_back(anybody):
    answer = [enter(anybody) for _ in range(3)][-1]

    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "rate_limited"
    assert answer["Retry-After"] == TELLS.fullmatch(answer["RateLimit"])[3]


def test_each_kind_has_a_count_of_its_own(anybody):
    statuses = [enter(anybody, name).status_code for name in ("a", "b", "c", "d", "e")]

    assert statuses == [200, 200, 200, 200, 429]
    assert told(enter(anybody, "f")) == ("address", 0)


def test_the_window_ends_when_it_is_said_to(anybody, monkeypatch):
    for _ in range(2):
        enter(anybody)
    began = time.time()
    seconds = int(enter(anybody)["Retry-After"])
    ended = time.time()

    def at(moment: float):
        monkeypatch.setattr("django_ratelimit.core.time.time", lambda: moment)
        return enter(anybody, REMOTE_ADDR="203.0.113.7").status_code

    assert at(int(began) + seconds - 1) == 429
    assert at(ended + seconds) == 200


def test_a_user_has_so_many_writes(member):
    assert [member.post("/api/write", {"name": "x"}).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_users_count_by_themselves_wherever_they_are(db, member):
    other = JsonClient()
    other.force_login(Person.objects.create(login="other"))
    for _ in range(3):
        member.post("/api/write", {"name": "x"})

    assert member.post("/api/write", {"name": "x"}, REMOTE_ADDR="203.0.113.7").status_code == 429
    answer = other.post("/api/write", {"name": "x"})
    assert (answer.status_code, told(answer)) == (200, ("user", 2))


def test_without_a_user_the_address_counts(anybody):
    answers = [anybody.post("/api/write-as-anybody") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"address";q=3;w=3600'
    assert anybody.post("/api/write-as-anybody", REMOTE_ADDR="203.0.113.7").status_code == 200


def test_reads_and_writes_count_apart(anybody):
    for _ in range(3):
        anybody.post("/api/write-as-anybody")

    assert told(anybody.get("/api/read")) == ("address", 4)


def test_what_is_exempt_tells_and_counts_nothing(anybody):
    answers = [anybody.get("/api/exempt") for _ in range(10)]

    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit-Policy" not in answers[0]


def test_turned_off_nothing_is_counted(anybody, settings):
    settings.RATELIMIT_ENABLE = False

    answers = [enter(anybody) for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    assert not answers[0].headers.keys() & {"RateLimit", "RateLimit-Policy"}


def test_without_a_table_no_cache_is_asked(anybody, settings):
    settings.KIT = {}
    use(settings, "tests.test_ratelimits.DeadCache")
    DeadCache.asked = 0

    assert enter(anybody).status_code == 200
    assert DeadCache.asked == 0


# --- in which order ---


def test_what_a_refused_shape_costs_is_the_address_alone(anybody):
    answers = [anybody.post("/api/enter", {"name": "Ada", "more": 1}) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {422}
    assert told(answers[-1]) == ("address", 1)
    assert enter(anybody).status_code == 200


def test_the_address_is_looked_at_before_the_body(anybody):
    for name in "abcd":
        enter(anybody, name)

    assert anybody.post("/api/enter", {"more": 1}).status_code == 429


def test_size_and_type_are_looked_at_before_anything_is_counted(anybody):
    large = anybody.generic("POST", "/api/enter", b" " * 1_000_001, content_type="application/json")
    other = anybody.generic("POST", "/api/enter", b"{}", content_type="text/plain")

    assert (large.status_code, other.status_code) == (413, 415)
    assert "RateLimit-Policy" in large
    assert told(enter(anybody)) == ("name", 1)
    assert told(enter(anybody, "b")) == ("name", 1)
    assert [enter(anybody, name).status_code for name in "cde"] == [200, 200, 429]


def test_an_anonymous_write_is_a_401_until_its_address_has_had_enough(anybody):
    statuses = [anybody.post("/api/write", {"name": "x"}).status_code for _ in range(4)]

    assert statuses == [401, 401, 401, 429]


def test_the_user_is_looked_at_before_the_shape(member):
    statuses = [member.post("/api/write", {}).status_code for _ in range(4)]

    assert statuses == [422, 422, 422, 429]


# --- whose address it is ---


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_ipv6_address_counts_with_its_network(address, counted):
    assert bucket(address) == counted


def test_a_forged_header_gets_around_nothing(anybody):
    for name in "abcd":
        enter(anybody, name, REMOTE_ADDR="203.0.113.7", HTTP_X_FORWARDED_FOR=f"198.51.100.{ord(name)}")

    assert enter(anybody, "e", REMOTE_ADDR="203.0.113.7", HTTP_X_FORWARDED_FOR="198.51.100.1").status_code == 429


def test_behind_a_trusted_proxy_its_clients_count_apart(anybody):
    for name in "abcd":
        enter(anybody, name, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.7")

    assert enter(anybody, "e", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.7").status_code == 429
    assert enter(anybody, "e", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.8").status_code == 200


@pytest.mark.parametrize("forwarded", ["", "nonsense", "203.0.113.7:8080", ", ,", "a" * 5000, "::ffff:203.0.113.7"])
def test_whatever_the_header_says_there_is_an_answer(anybody, forwarded):
    answer = enter(anybody, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)

    assert answer.status_code == 200


# --- with the cache down ---


@pytest.mark.parametrize("backend", ["DeadCache", "ForgetfulCache"])
def test_what_has_a_limit_of_its_own_is_refused_while_nothing_can_be_counted(anybody, settings, backend):
    use(settings, f"tests.test_ratelimits.{backend}")

    answer = enter(anybody)

    assert answer.status_code == 503
    assert (answer.json()["code"], answer["Retry-After"]) == ("service_unavailable", "5")


def test_reads_and_writes_go_on_uncounted_and_it_is_told_once(anybody, settings):
    use(settings, "tests.test_ratelimits.DeadCache")
    DeadCache.asked = 0

    with capture_logs() as logs:
        statuses = [anybody.get("/api/read").status_code for _ in range(20)]

    assert set(statuses) == {200}
    told_of = [line for line in logs if line["event"] == "rate_limits_not_counted"]
    assert [line["log_level"] for line in told_of] == ["error"]
    # A dead cache costs a time-out, so it is not asked by each of them.
    assert DeadCache.asked < 20


def test_counting_starts_again_with_the_cache(anybody, settings):
    use(settings, "tests.test_ratelimits.DeadCache")
    anybody.get("/api/read")
    use(settings, "django.core.cache.backends.locmem.LocMemCache")
    ratelimits.outage.over_at = time.monotonic()

    assert told(anybody.get("/api/read")) == ("address", 4)


# --- how it is declared ---


def test_the_document_declares_it_where_it_is_limited():
    paths = api.get_openapi_schema()["paths"]
    limited, exempt = paths["/api/enter"]["post"]["responses"], paths["/api/exempt"]["get"]["responses"]

    assert all(response["headers"].keys() >= {"RateLimit", "RateLimit-Policy"} for response in limited.values())
    assert "Retry-After" in limited[429]["headers"]
    assert "`rate_limited`" in limited[429]["description"]
    assert 429 not in exempt
    assert not any("RateLimit" in response["headers"] for response in exempt.values())


@pytest.mark.parametrize(
    ("text", "rate"), [("5/m", (5, 60)), ("10/h", (10, 3600)), ("100/10m", (100, 600)), ("1/2d", (1, 172_800))]
)
def test_rates(text, rate):
    assert parse(text) == rate


@pytest.mark.parametrize("text", ["", "5", "5/", "/m", "0/m", "5/w", "-1/m", "5/0m", "5 / m", "5/m\n"])
def test_what_is_no_rate_is_said_to_be_none(text):
    with pytest.raises(ValueError, match="is not a rate"):
        parse(text)
