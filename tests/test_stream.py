"""The stream of a real system, with two processes behind a front, while what it runs on is killed."""

import asyncio
import io
from asyncio import to_thread
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import jwt
import psutil
import pytest
from redis import Redis
from redis.exceptions import RedisError
from tests.load.subscribers import PATH, Crowd, Subscriber
from tests.test_up import PATIENCE, children, named

from marketplace.demo.journey import PASSWORD, Journey
from marketplace.demo.show import Show
from marketplace.running.datadir import DataDir
from marketplace.running.front import CADDYFILE
from marketplace.running.processes import Process
from marketplace.running.system import System
from marketplace_embedded import ports
from marketplace_embedded.caddy import Caddy
from marketplace_embedded.process import until

LIMIT = 30  # seconds within which the end of a session closes its streams


@pytest.fixture(scope="module")
def system():
    env = {
        "RATELIMIT_ENABLE": "0",
        "PYTHONPATH": str(Path(__file__).parent.parent),
        "DJANGO_SETTINGS_MODULE": "tests.brisk_settings",
    }
    with System(demo_data=False, env=env) as running:
        yield running


@dataclass
class Pair:
    """The system's process of the stream, another one, and a front with both behind it."""

    system: System
    ports: list[int]
    second: Process
    url: str

    def at(self, number: int) -> str:
        return f"http://127.0.0.1:{self.ports[number]}"

    def process(self, number: int) -> psutil.Process:
        [process] = named(self.system.data_dir, "cli stream", f"--port {self.ports[number]}")
        return process

    def start_second(self) -> None:
        self.second.launch()
        assert until(lambda: answers(self.at(1)), PATIENCE)


@pytest.fixture(scope="module")
def pair(system, tmp_path_factory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    [first] = named(system.data_dir, "cli stream")
    line = first.cmdline()
    upstreams = [int(line[line.index("--port") + 1]), *ports.pick(1)]
    second = Process(
        "stream", ["marketplace.cli", "stream", "--port", str(upstreams[1])], first.environ(), folder / "stream.log"
    )
    front = another_front(system, folder, upstreams)
    pair = Pair(system, upstreams, second, front.url)
    try:
        front.start()
        pair.start_second()
        yield pair
    finally:
        second.stop()
        front.stop()


def another_front(system: System, folder: Path, upstreams: list[int]) -> Caddy:
    """As `up` starts it, before these processes of the stream."""
    [theirs] = named(system.data_dir, "caddy", "run")
    [port] = ports.pick(1)
    same = ("BIND_ADDRESSES", "API_UPSTREAM", "S3_UPSTREAM", "S3_BUCKET")
    variables = {name: value for name, value in theirs.environ().items() if name in same}
    variables["SITE_ADDRESS"] = f"http://:{port}"
    variables["STREAM_UPSTREAM"] = " ".join(f"127.0.0.1:{upstream}" for upstream in upstreams)
    return Caddy(folder / "caddy", CADDYFILE, port=port, variables=variables)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}{PATH}").status_code == 401
    except httpx.TransportError:
        return False


@dataclass
class Told:
    """A provider, who is told of each move of a booking."""

    journey: Journey
    slots: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        for step in (self.journey.register, self.journey.offer, self.journey.book):
            step()
        start = datetime.now(UTC) + timedelta(days=3)
        span = {"from": start.isoformat(), "to": (start + timedelta(days=7)).isoformat()}
        free = self.journey.customer.get(f"/services/{self.journey.service['id']}/slots", **span)["items"]
        self.slots = cycle([free[0]["start"], free[1]["start"]])

    def move(self, times: int) -> None:
        for _ in range(times):
            path = f"/bookings/{self.journey.booking['id']}/reschedule"
            self.journey.customer.post(path, {"scheduledAt": next(self.slots)}, 200)

    def inbox(self) -> list[str]:
        """Oldest first."""
        return [told["id"] for told in self.journey.provider.get("/notifications", limit="100")["items"]][::-1]

    def subscriber(self, token: str | None = None) -> Subscriber:
        return Subscriber("", token or self.journey.provider.token or "")


@pytest.fixture(scope="module")
def told(system) -> Told:
    return Told(Journey(system.url, Show(io.StringIO())))


async def soon(condition: Callable[[], Any], seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


async def have_all(people: list[Subscriber], told: Told, before: int) -> None:
    """Whoever has the last one has whatever was to come before it, be it doubled."""
    inbox = await to_thread(told.inbox)
    events = inbox[before:]
    await soon(lambda: all(events[-1] in keys(one) for one in people))
    for one in people:
        # What was told before they came is published when the worker comes to it: they may be there by then.
        assert len(keys(one)) >= len(events)
        assert keys(one) == inbox[-len(keys(one)) :]


def keys(subscriber: Subscriber) -> list[str]:
    return [key for key, _ in subscriber.received]


# --- what is killed ---


def test_valkey_is_killed_while_subscribers_of_both_processes_listen(system, pair, told):
    people = [told.subscriber() for _ in range(4)]
    [valkey] = children(psutil.Process(system.pid), "valkey")

    async def play() -> None:
        before = len(await to_thread(told.inbox))
        async with Crowd(pair.at(0), people[:2]) as some, Crowd(pair.at(1), people[2:]) as others:
            await soon(lambda: some.size == others.size == 2)
            await to_thread(told.move, 3)
            valkey.kill()
            await to_thread(told.move, 3)
            await soon(lambda: hearing(system) == 2)
            await to_thread(told.move, 3)
            await have_all(people, told, before)

    asyncio.run(play())
    assert not valkey.is_running()
    assert [one.openings for one in people] == [1] * 4  # nobody had to come again


def hearing(system: System) -> int:
    """How many processes listen to hints."""
    with suppress(RedisError), Redis.from_url(system.servers["CACHE_URL"]) as client:
        [(_, count)] = client.pubsub_numsub("notifications")
        return count
    return 0


def test_each_process_is_killed_in_turn_and_all_come_again_to_the_other(pair, told):
    people = [told.subscriber() for _ in range(6)]

    async def play() -> None:
        before = len(await to_thread(told.inbox))
        async with Crowd(pair.url, people) as crowd:
            await soon(lambda: crowd.size == 6)
            await to_thread(told.move, 3)
            pair.process(1).kill()
            await to_thread(told.move, 3)
            await to_thread(pair.start_second)
            await soon(lambda: crowd.size == 6)
            pair.process(0).kill()
            await to_thread(told.move, 3)
            await have_all(people, told, before)

    asyncio.run(play())
    assert min(one.openings for one in people) > 1
    assert sum(one.resets for one in people) == 0


# --- what ends a stream ---


def test_a_session_that_is_ended_and_a_token_that_ends_close_their_streams(system, pair, told):
    client = told.journey.provider
    body = {"email": client.get("/users/me")["email"], "password": PASSWORD}
    session = client.post("/auth/login", body, 200)
    ended, expired = told.subscriber(session["access"]), told.subscriber(short(system, client.token))
    lasting = told.subscriber()

    async def play() -> None:
        before = len(await to_thread(told.inbox))
        async with Crowd(pair.url, [ended, expired, lasting]) as crowd:
            await soon(lambda: crowd.size == 3)
            await to_thread(client.post, "/auth/logout", {"refresh": session["refresh"]}, 204)
            await soon(lambda: ended.refused and expired.refused, LIMIT)  # as they come again
            await to_thread(told.move, 1)
            await have_all([lasting], told, before)

    asyncio.run(play())
    assert [one.openings for one in (ended, expired, lasting)] == [1, 1, 1]
    assert [keys(one) for one in (ended, expired)] == [[], []]


def short(system: System, token: str) -> str:
    """The same token, which ends in some seconds."""
    claims = jwt.decode(token, options={"verify_signature": False})
    claims["exp"] = int(datetime.now(UTC).timestamp()) + 5
    return jwt.encode(claims, DataDir(system.data_dir).known_secrets()["JWT_SIGNING_KEY"], "HS256")


# --- what comes and goes through the front ---

GARBAGE = (b"nonsense", b"x:abc", b"error", b"-1", b"0", b"%", b"W10.x.y", b"\xff\xfe", b"\xc3\xa9", b"9" * 4_000)


@pytest.fixture(scope="module")
def client(pair, told):
    headers = {"Authorization": f"Bearer {told.journey.provider.token}", "Accept-Encoding": "gzip, br"}
    with httpx.Client(base_url=pair.url, headers=headers, timeout=PATIENCE) as client:
        yield client


@pytest.mark.parametrize("last_id", GARBAGE)
def test_an_id_that_is_none_is_told_and_goes_no_further(client, last_id):
    in_header = {"headers": [(b"Last-Event-ID", last_id)]}
    in_address = {"params": {"lastEventId": last_id.decode("latin-1") + "\0"}}
    for asked in (in_header, in_address):
        with client.stream("GET", PATH, **asked) as answer:
            assert answer.status_code == 200
            assert next(answer.iter_lines()) == "event: stream-reset"


def test_whatever_is_between_is_told_to_pass_it_on_as_it_comes(client):
    with client.stream("GET", PATH) as answer:
        next(answer.iter_raw())
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert "Content-Encoding" not in answer.headers
    assert "Content-Length" not in answer.headers
