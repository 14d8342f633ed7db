"""TLS to a pinned address: the certificate must be the name's, by an authority that is known."""

import socket
import ssl

import pytest
import trustme

from marketplace_notifications import posting
from marketplace_notifications.posting import post
from marketplace_notifications.testing import Receiver

NAME = "hooks.example"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def asked_for():
    """The names that clients asked for in the handshake (SNI)."""
    return []


@pytest.fixture
def serve(authority, asked_for):
    servers = []

    def start(*names, by=authority):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        by.issue_cert(*names).configure_cert(context)
        context.sni_callback = lambda _, name, __: asked_for.append(name)
        servers.append(Receiver(context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(autouse=True)
def known(authority, monkeypatch, settings, tmp_path):
    """This machine knows the authority, as `SSL_CERT_FILE` says, and the name, which leads to this machine."""
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "WEBHOOK_ALLOW_PRIVATE": True}
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    posting._tls.cache_clear()
    ask = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: ask("127.0.0.1" if host == NAME else host, *a, **k)
    )
    yield
    posting._tls.cache_clear()


def test_the_name_goes_into_tls_and_host_although_the_address_is_pinned(serve, asked_for):
    receiver = serve(NAME)
    answer = post(receiver.url(NAME), {}, b"{}")
    assert (answer.status, answer.fault) == (204, "")
    assert asked_for == [NAME]
    assert receiver.received[0].headers["host"] == f"{NAME}:{receiver.port}"


@pytest.mark.parametrize("names", [["other.example"], ["127.0.0.1"], ["*.hooks.example"]])
def test_a_certificate_of_another_name_is_none(serve, names):
    """Not even of the address that it is pinned to."""
    receiver = serve(*names)
    answer = post(receiver.url(NAME), {}, b"{}")
    assert (answer.status, answer.fault) == (None, "tls")
    assert receiver.received == []


def test_nor_one_of_an_authority_that_nobody_knows(serve):
    receiver = serve(NAME, by=trustme.CA())
    assert post(receiver.url(NAME), {}, b"{}").fault == "tls"
    assert receiver.received == []


def test_an_address_has_certificates_too(serve):
    assert post(serve("127.0.0.1").url(), {}, b"{}").is_success
    assert post(serve(NAME).url(), {}, b"{}").fault == "tls"


def test_a_handshake_that_takes_too_long_is_left(settings):
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "WEBHOOK_TIMEOUT": 0.3}
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert post(f"https://{NAME}:{server.getsockname()[1]}/", {}, b"{}").fault == "timeout"
