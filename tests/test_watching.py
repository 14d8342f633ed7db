"""A real system, watched as it is in production, and stopped process by process while it works."""

import http.client
import io
import json
import os
import signal
import threading
from collections import Counter
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pytest
from tests.observing import Stranger, attributes, ended, metrics_url, promtool, running, samples, spans_of, told
from tests.test_monitoring import watched_metrics
from tests.test_up import PATIENCE, command, is_live, query

from marketplace.demo.journey import PASSWORD, Journey
from marketplace.demo.show import Show
from marketplace.running.system import System
from marketplace_embedded.process import until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"  # begun by somebody before us
STREAM = "/api/v1/notifications/stream"


@pytest.fixture(scope="module")
def collector():
    stranger = Stranger(status=200)
    stranger.may_answer.set()
    with stranger.listening():
        yield stranger


@pytest.fixture(scope="module")
def gateway():
    with Stranger(status=204).listening() as stranger:
        yield stranger


@pytest.fixture(scope="module")
def system(tmp_path_factory, collector, gateway):
    env = {
        "RATELIMIT_ENABLE": "0",
        "API_WORKERS": "2",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "MOCK_GATEWAY_WEBHOOK_URL": f"{gateway.url}/webhook",
    }
    with System(tmp_path_factory.mktemp("watched") / "data", demo_data=False, env=env) as system:
        yield system


@pytest.fixture(scope="module")
def journey(system):
    """The demo's journey, played once; what streams and mails say of it, test_demo waits for."""
    journey = Journey(system.url, Show(io.StringIO()))
    for step in (journey.register, journey.offer, journey.book, journey.pay, journey.confirm, journey.cancel):
        step()
    return journey


def as_(client):
    return {"Authorization": f"Bearer {client.token}"}


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is nothing to choose from")
def test_who_runs_python_in_many_threads_keeps_to_one_core(system):
    above, *api = running(system, "api")
    others = [*running(system, "stream"), *running(system, "worker")]

    assert len(api) == 2
    assert len(others) == 2
    assert until(lambda: all(len(process.cpu_affinity()) == 1 for process in [*api, *others]), PATIENCE)
    assert set(above.cpu_affinity()) == os.sched_getaffinity(0)  # which starts the others


# --- metrics ---

# What the journey does, as it is counted.
JOURNEY = {
    "marketplace_bookings_total": {"created": 1, "confirmed": 1, "completed": 0, "cancelled": 1, "rescheduled": 0},
    "marketplace_payments_total": {"succeeded": 1, "failed": 1},
    "marketplace_refunds_total": {"succeeded": 1, "failed": 0},
    "marketplace_payouts_total": {"": 0},
    "marketplace_refusals_total": {
        "slot_unavailable": 1,
        "card_declined": 1,
        "already_paid": 1,
        "invalid_credentials": 2,
        "forbidden": 1,
        "provider_required": 1,
    },
    "marketplace_processes": {"api": 2, "stream": 1, "worker": 1},
    "marketplace_database_up": {"": 1},
}


@pytest.mark.parametrize("name", JOURNEY)
def test_what_happens_is_counted_in_whichever_process_it_does(system, journey, name):
    found = {next(iter(labels.values()), ""): value for labels, value in samples(system, name)}

    assert found == JOURNEY[name]


def test_requests_are_counted_by_route_and_never_by_id(system, journey):
    counted = {tuple(labels.values()): value for labels, value in samples(system, "marketplace_http_requests_total")}
    timed = {
        tuple(labels.values()): value for labels, value in samples(system, "marketplace_http_request_seconds_count")
    }

    assert counted["POST", "/api/v1/bookings", "201"] == 1
    assert counted["POST", "/api/v1/bookings", "409"] == 1
    assert timed["POST", "/api/v1/bookings"] == 2
    assert journey.booking["id"] not in told(system)


def test_jobs_are_counted_as_they_run_and_as_they_wait(system, journey):
    task = "marketplace_notifications.publish"

    def runs():
        return sum(value for _, value in samples(system, "marketplace_jobs_done_total", task=task, outcome="succeeded"))

    assert until(lambda: runs() >= 6, PATIENCE)
    assert samples(system, "marketplace_job_seconds_count", task=task) == [({"task": task}, runs())]
    waiting = samples(system, "marketplace_jobs")
    assert {labels["state"] for labels, _ in waiting} == {"waiting", "scheduled", "doing"}
    assert {labels["queue"] for labels, _ in waiting} >= {"billing", "mail", "stream"}


def test_whatever_the_dashboard_and_the_alerts_look_at_is_there_after_the_journey(system, journey):
    names = {line.partition("{")[0].partition(" ")[0] for line in told(system).splitlines() if line[0] != "#"}

    assert len(watched_metrics()) > 10
    assert watched_metrics() - names == set()


@pytest.mark.external
def test_promtool_is_content_with_what_is_told(system, journey):
    assert promtool("check", "metrics", text=told(system)) == ""


def test_the_age_of_a_queue_is_that_of_its_oldest_due_job(system, journey):
    query(
        system,
        # One holds the lock that a due one needs, and so no worker takes that.
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, lock, scheduled_at, worker_id)"
        " SELECT 'nobody', 'none', status::procrastinate_job_status, 'held', now() + due::interval, worker"
        " FROM (SELECT max(id) FROM procrastinate_workers) AS it(worker),"
        " (VALUES ('doing', NULL), ('todo', '-90 s'), ('todo', '1 h')) AS jobs(status, due)",
    )
    try:
        [(_, age)] = samples(system, "marketplace_queue_age_seconds", queue="nobody")
        states = {labels["state"]: value for labels, value in samples(system, "marketplace_jobs", queue="nobody")}
    finally:
        query(system, "DELETE FROM procrastinate_jobs WHERE queue_name = 'nobody'")

    assert 90 <= age < 90 + PATIENCE
    assert states == {"waiting": 1, "scheduled": 1, "doing": 1}


@contextmanager
def no_new_connections(system):
    """Those that are open stay: a database that is full, or gone for who comes anew."""
    url = urlsplit(system.servers["DATABASE_URL"])
    name = url.path.lstrip("/")
    with psycopg.connect(urlunsplit(url._replace(path="/template1")), autocommit=True) as other:
        other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            yield
        finally:
            other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_without_a_database_the_rest_is_told(system, journey):
    with no_new_connections(system):
        assert samples(system, "marketplace_database_up") == [({}, 0)]
        assert samples(system, "marketplace_jobs") == []
        assert samples(system, "marketplace_bookings_total", event="created") == [({"event": "created"}, 1)]


def test_a_second_system_on_the_same_port_is_refused_in_a_sentence(system, tmp_path):
    port = system.servers["METRICS_PORT"]
    done = command(
        "up", "--port=0", "--data-dir=data", cwd=tmp_path, prelude=f"import os; os.environ['METRICS_PORT']='{port}'"
    )

    assert done.returncode == 2
    assert done.stderr.startswith(f"Port {port} is taken")
    assert len(done.stderr.splitlines()) == 1


def test_metrics_are_there_and_nothing_else(system):
    assert httpx.get(metrics_url(system).replace("/metrics", "/api/health/live"), timeout=20).status_code == 404
    assert metrics_url(system) in system.log.read_text()


# --- traces ---


def traced(collector, service, name, trace=None):
    """The spans of that name, once there are some."""

    def found():
        spans = spans_of(collector).get(service, [])
        return [span for span in spans if span.name == name and (trace is None or span.trace_id.hex() == trace)]

    assert until(lambda: found() != [], PATIENCE), sorted({s.name for s in spans_of(collector).get(service, [])})
    return found()


def test_a_request_is_a_span_of_its_callers_trace_and_holds_its_statements(system, journey, collector):
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-ID": "seen", **as_(journey.customer)}
    httpx.get(f"{system.url}/api/v1/bookings/{journey.booking['id']}?secret=1", headers=headers, timeout=20)

    [span] = traced(collector, "marketplace-api", "GET /api/v1/bookings/<booking_id>", TRACE)
    assert attributes(span) == {
        "http.request.method": "GET",
        "http.route": "/api/v1/bookings/<booking_id>",
        "http.response.status_code": 200,
        "marketplace.request_id": "seen",
    }
    statements = traced(collector, "marketplace-api", "SELECT", TRACE)
    assert any("marketplace_booking" in attributes(one)["db.query.text"] for one in statements)
    assert all(one.parent_span_id == span.span_id for one in statements)


def test_jobs_and_streams_are_traced(system, journey, collector):
    [job, *_] = traced(collector, "marketplace-worker", "marketplace_notifications.publish")
    within = traced(collector, "marketplace-worker", "SELECT", job.trace_id.hex())

    assert attributes(job)["messaging.destination.name"] == "stream"
    assert {one.parent_span_id for one in within} == {job.span_id}
    httpx.get(f"{system.url}{STREAM}", timeout=20)  # refused, as it says not who it is
    [opening] = traced(collector, "marketplace-stream", f"GET {STREAM}")
    assert attributes(opening)["http.response.status_code"] == 401


def test_no_span_tells_who_or_which(system, journey, collector):
    told = b"".join(collector.bodies).decode(errors="replace")

    assert "/api/v1/bookings" in told
    for secret in (journey.booking["id"], journey.customer.token, PASSWORD, "secret=1", "@example.com"):
        assert secret not in told


# --- the end of a process, while it works ---


def test_a_stream_that_ends_says_when_to_come_again_and_nothing_is_lost(system, journey):
    opened = {"headers": as_(journey.customer), "timeout": 20}
    [process] = running(system, "stream")
    assert until(lambda: subscribers(system) == 0, PATIENCE)  # those of the journey are gone
    with httpx.stream("GET", f"{system.url}{STREAM}", **opened) as answer:
        chunks = answer.iter_text()
        next(chunks)
        assert subscribers(system) == 1
        process.send_signal(signal.SIGTERM)
        farewell = "".join(chunks)  # and that it ends without an error

    said = dict(line.split(": ", 1) for line in farewell.splitlines() if line)
    assert said["event"] == "keep-alive"
    assert 500 <= int(said["retry"]) <= 3000
    journey.book()  # while nobody listens
    opened["headers"]["Last-Event-ID"] = said["id"]
    assert until(lambda: is_streaming(system, opened), PATIENCE)
    with httpx.stream("GET", f"{system.url}{STREAM}", **opened) as answer:
        lines = answer.iter_lines()
        journey.provider.post(f"/bookings/{journey.booking['id']}/confirm", expect=200)
        assert next(line for line in lines if line.startswith("event: booking")) == "event: booking.confirmed"
    assert until(lambda: subscribers(system) == 0, PATIENCE)


def subscribers(system):
    [(_, value)] = samples(system, "marketplace_stream_subscribers")
    return value


def is_streaming(system, opened):
    with httpx.stream("GET", f"{system.url}{STREAM}", **opened) as answer:
        return answer.status_code == 200


def test_a_stream_that_is_killed_is_counted_no_more(system, journey):
    [process] = running(system, "stream")
    with httpx.stream("GET", f"{system.url}{STREAM}", headers=as_(journey.customer), timeout=20) as answer:
        chunks = answer.iter_text()
        next(chunks)
        assert subscribers(system) == 1
        [(_, opened)] = samples(system, "marketplace_http_requests_total", route=STREAM, status="200")
        process.kill()
    assert until(lambda: subscribers(system) == 0, PATIENCE)
    [(_, still)] = samples(system, "marketplace_http_requests_total", route=STREAM, status="200")
    assert still >= opened >= 3  # what it counted stays


def test_a_job_that_runs_when_the_worker_is_stopped_is_done_once(system, journey, gateway):
    job = "SELECT status::text, attempts FROM procrastinate_jobs WHERE task_name = 'marketplace_billing_mock.tell'"
    journey.book()
    journey.customer.post("/payments", {"bookingId": journey.booking["id"], "paymentMethod": "mock_pending"})
    assert until(lambda: gateway.bodies != [], PATIENCE)
    [process] = running(system, "worker")
    process.send_signal(signal.SIGTERM)
    assert query(system, job) == [("doing", 0)]
    assert process.is_running()

    gateway.may_answer.set()
    assert until(lambda: ended(process), PATIENCE)
    assert query(system, job) == [("succeeded", 1)], (system.data_dir / "logs" / "worker.log").read_text()[-2000:]
    assert len(gateway.bodies) == 1


class Callers:
    """Ask one API process again and again, past the front, until it takes no more requests."""

    def __init__(self, port, method, path, headers, body=None, *, count):
        self.asked = (method, path, body, headers)
        self.port = port
        self.ended = Counter()
        self.threads = [threading.Thread(target=self._ask) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _ask(self):
        connection = None
        while True:
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
                connection.request(*self.asked)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.ended[type(error).__name__] += 1
                return
            self.ended[answer.status] += 1
            if answer.headers.get("Connection") == "close":
                connection = None

    def join(self):
        for thread in self.threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self.threads)
        return self.ended


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["asked", "control: killed"])
def test_requests_that_run_when_the_api_is_stopped_are_answered(system, journey, number):
    assert until(lambda: is_live(system.url), PATIENCE)
    processes = running(system, "api")
    line = processes[0].cmdline()
    port = int(line[line.index("--port") + 1])
    headers = {**as_(journey.customer), "Content-Type": "application/json"}
    body = json.dumps({"profile": {"bio": "Held up."}})
    before = begun(system)
    with psycopg.connect(system.servers["DATABASE_URL"]) as holder:
        holder.execute("SELECT FROM marketplace_accounts_user FOR UPDATE")
        # Some that can't be answered before we let them, and others all the time.
        held = Callers(port, "PATCH", "/api/v1/users/me", headers, body, count=2)
        busy = Callers(port, "GET", "/api/v1/services/categories", {}, count=3)
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        assert until(lambda: query(system, waiting) == [(2,)] and busy.ended[200] > 20, PATIENCE)
        for process in processes[:1] if number == signal.SIGTERM else processes:
            process.send_signal(number)
        busy.join()
        holder.rollback()
    held.join()

    if number == signal.SIGTERM:
        assert held.ended[200] == 2
        assert until(lambda: all(ended(process) for process in processes), PATIENCE)
        # Whatever was begun was answered; a connection that is closed between two requests is none.
        assert begun(system) - before == busy.ended[200]
    else:
        assert held.ended[200] == 0


def begun(system):
    return sum(
        value for _, value in samples(system, "marketplace_http_requests_total", route="/api/v1/services/categories")
    )
