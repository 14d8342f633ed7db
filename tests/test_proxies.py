"""Who is believed when he says where a request came from, and that it came by https."""

import pytest
from django.test import Client

PROXIES = ["10.0.0.0/8", "2001:db8::1", "192.168.1.1"]
# Where it comes from, and whether that is one of them.
NEIGHBOURS = {
    "10.1.2.3": True,
    "192.168.1.1": True,
    "2001:db8::1": True,
    "::ffff:10.1.2.3": True,
    "11.0.0.1": False,
    "192.168.1.2": False,
    "2001:db8::2": False,
    "::ffff:11.0.0.1": False,
    "": False,
    "10.1.2.3, 10.1.2.3": False,
}


@pytest.fixture(autouse=True)
def _in_production(settings):
    settings.TRUSTED_PROXIES = PROXIES
    settings.SECURE_SSL_REDIRECT = True
    settings.PUBLIC_URL = "https://testserver"


@pytest.mark.parametrize(("address", "is_believed"), NEIGHBOURS.items())
def test_only_a_trusted_proxy_is_believed_that_a_request_came_by_https(address, is_believed):
    answer = Client().get("/api/openapi.json", REMOTE_ADDR=address, HTTP_X_FORWARDED_PROTO="https")

    assert answer.status_code == (200 if is_believed else 301)


def test_without_any_nobody_is_believed(settings):
    settings.TRUSTED_PROXIES = []

    assert Client().get("/", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_PROTO="https").status_code == 301


# What another machine of ours asks for, by plain http and within: it would not follow.
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/health/live", 200),
        ("POST", "/api/v1/payments/webhooks/mock", 401),
        ("GET", "/api/v1/services", 301),
        ("POST", "/api/v1/payments", 301),
    ],
)
def test_health_and_webhooks_are_not_redirected(method, path, status):
    answer = Client().generic(method, path, b"{}", content_type="application/json")

    assert answer.status_code == status


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "localhost", "[::1]:8001", "testserver"])
def test_who_looks_whether_we_live_may_call_us_by_this_machines_names(host):
    assert Client().get("/api/health/live", headers={"Host": host}).status_code == 200
