"""One POST to a stranger, against a real server on this machine: what he can do to us, and what he learns."""

import gzip
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

from marketplace_kit import clock
from marketplace_notifications.posting import ANSWER_BYTES, post
from marketplace_notifications.testing import Receiver

HEADERS = {"Content-Type": "application/json", "webhook-id": "1"}
BODY = b'{"a":1}'
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def conf(settings):
    def change(**values):
        settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, **values}

    change(WEBHOOK_ALLOW_PRIVATE=True, WEBHOOK_TIMEOUT=20)
    return change


@pytest.fixture
def receiver(conf):
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def leads_to(monkeypatch):
    """Give names addresses, for one look-up after the other; how often each name was looked up."""
    plans, asked, ask = {}, [], socket.getaddrinfo

    def answer(host, port, *args, **kwargs):
        if host in plans:
            asked.append(host)
            addresses = plans[host].pop(0)
            return [entry for address in addresses for entry in ask(address, port, *args, **kwargs)]
        return ask(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", answer)

    def lead(name, *lookups):
        plans[name] = list(lookups)
        return asked

    return lead


def test_it_arrives_as_it_is(receiver):
    answer = post(receiver.url(path="/hook?key=%20a"), HEADERS, BODY)
    [request] = receiver.received
    assert (answer.status, answer.fault, answer.is_success) == (204, "", True)
    assert (request.method, request.path, request.body) == ("POST", "/hook?key=%20a", BODY)
    assert request.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "content-type": "application/json",
        "webhook-id": "1",
        "connection": "close",
        "content-length": "7",
    }


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(receiver, status):
    receiver.status = status
    assert post(receiver.url(), HEADERS, BODY).is_success


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 400, 401, 404, 410, 429, 500, 503, 599])
def test_nothing_else_is_and_no_redirect_is_followed(receiver, status):
    receiver.status = status
    receiver.headers = {"Location": receiver.url(path="/elsewhere")}
    answer = post(receiver.url(), HEADERS, BODY)
    assert (answer.status, answer.is_success) == (status, False)
    assert [request.path for request in receiver.received] == ["/hook"]


# --- slow, large and broken receivers ---


def drip_headers(receiver):
    """A byte now and then: each read has something, and the head never ends."""

    def drip(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not receiver.closing.wait(0.02):
            handler.wfile.write(b"a")
            handler.wfile.flush()

    return drip


def announce_without_end(receiver):
    def announce(handler):
        while not receiver.closing.wait(0.02):
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            handler.wfile.flush()

    return announce


def hang(receiver):
    return lambda handler: receiver.closing.wait()


@pytest.mark.parametrize("behaviour", [hang, drip_headers, announce_without_end])
def test_who_takes_too_long_is_left(receiver, conf, behaviour):
    conf(WEBHOOK_TIMEOUT=0.3)
    receiver.script = [behaviour(receiver)]
    answer = post(receiver.url(), HEADERS, BODY)
    assert (answer.status, answer.fault) == (None, "timeout")


def test_a_server_that_accepts_and_never_reads(conf):
    conf(WEBHOOK_TIMEOUT=0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = post(f"http://127.0.0.1:{server.getsockname()[1]}/", HEADERS, b"x" * 5_000_000)
    assert answer.fault == "timeout"


def test_once_the_status_is_known_a_slow_body_changes_nothing(receiver, conf):
    conf(WEBHOOK_TIMEOUT=0.3)

    def drip_body(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not receiver.closing.wait(0.02):
            handler.wfile.write(b"a")
            handler.wfile.flush()

    receiver.script = [drip_body]
    assert post(receiver.url(), HEADERS, BODY).status == 200


def test_of_a_large_answer_little_is_read(receiver):
    """An answer without an end: it is read no further than said, or this test does not end."""
    sent = []

    def flood(handler):
        handler.wfile.write(b"HTTP/1.1 500 Sorry\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                handler.wfile.write(b"400\r\n" + b"a" * 1024 + b"\r\n")
                sent.append(1024)
        except OSError:
            sent.append(0)

    receiver.script = [flood]
    assert post(receiver.url(), HEADERS, BODY).status == 500
    end = time.monotonic() + 20
    while not sent or sent[-1]:
        assert time.monotonic() < end, "it was not hung up on"
        time.sleep(0.01)


def test_answers_are_not_unpacked(receiver):
    bomb = gzip.compress(b"a" * 50_000_000)
    assert len(bomb) > ANSWER_BYTES

    def answer(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb))
        handler.wfile.write(bomb)

    receiver.script = [answer]
    assert post(receiver.url(), HEADERS, BODY).is_success


@pytest.mark.parametrize(
    "said", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n: \r\n"]
)
def test_what_is_no_http_is_a_failure(receiver, said):
    receiver.script = [lambda handler: handler.wfile.write(said)]
    answer = post(receiver.url(), HEADERS, BODY)
    assert (answer.status, answer.fault) == (None, "unreachable")


def test_headers_without_end(receiver):
    receiver.script = [lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100_000 + b"\r\n")]
    assert post(receiver.url(), HEADERS, BODY).fault == "unreachable"


def test_nobody_listens(conf):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert post(f"http://127.0.0.1:{port}/", HEADERS, BODY).fault == "unreachable"


# --- where it goes ---


def test_the_environments_proxies_are_passed_by(receiver, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(receiver.url(), HEADERS, BODY).is_success


def test_what_was_looked_at_is_what_is_called(receiver, leads_to):
    """The name leads elsewhere as soon as it was looked up (DNS rebinding): it is not looked up again."""
    asked = leads_to("hooks.example", ["127.0.0.1"], ["127.0.0.2"])
    assert post(receiver.url("hooks.example"), HEADERS, BODY).is_success
    assert asked == ["hooks.example"]
    assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"


def test_the_next_address_is_tried_where_the_first_does_not_answer(receiver, leads_to):
    leads_to("hooks.example", ["127.0.0.2", "127.0.0.1"])
    assert post(receiver.url("hooks.example"), HEADERS, BODY).is_success


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::ffff:127.0.0.1"]])
def test_each_time_it_is_looked_where_the_name_leads(receiver, conf, leads_to, addresses):
    """It was public when it was named."""
    conf(WEBHOOK_ALLOW_PRIVATE=False)
    leads_to("hooks.example", addresses)
    answer = post(f"https://hooks.example:{receiver.port}/", HEADERS, BODY)
    assert (answer.status, answer.fault) == (None, "private_address")
    assert receiver.received == []


def test_what_was_named_while_private_ones_were_allowed_is_not_called_any_more(receiver, conf):
    conf(WEBHOOK_ALLOW_PRIVATE=False)
    assert post(receiver.url(), HEADERS, BODY).fault == "https_required"
    assert receiver.received == []


def test_a_name_that_leads_nowhere(conf, monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert post("https://hooks.example/", HEADERS, BODY).fault == "unresolved"


# --- Retry-After ---


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(minutes=2)),
        ("9" * 400, timedelta(seconds=999_999_999)),
        ("Mon, 04 May 2026 12:10:00 GMT", timedelta(minutes=10)),
        ("Mon, 04 May 2026 11:00:00 GMT", timedelta(0)),
        ("Mon, 04 May 2026 12:10:00", None),
        (f"Mon, 04 May 2026 12:10:00 +{'9' * 20}", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
    ],
)
def test_how_long_a_receiver_asks_us_to_wait(receiver, header, wait):
    receiver.status, receiver.headers = 503, {"Retry-After": header}
    with clock.frozen(NOON):
        assert post(receiver.url(), HEADERS, BODY).retry_after == wait
