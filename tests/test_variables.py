"""Variables of the environment: what each kind says, and what it must not say."""

from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured

from marketplace import environment, variables

VARIABLE = "OF_A_TEST"
READERS = {
    "flag": lambda: variables.flag(VARIABLE, True),
    "number": lambda: variables.number(VARIABLE, 4, least=1, most=65_535),
    "seconds": lambda: variables.seconds(VARIABLE, 10),
    "percent": lambda: variables.percent(VARIABLE, 10),
    "choice": lambda: variables.choice(VARIABLE, "INFO", "DEBUG"),
    "networks": lambda: variables.networks(VARIABLE),
    "words": lambda: variables.words(VARIABLE),
    "text": lambda: variables.text(VARIABLE, "as it was"),
    "web_address": lambda: variables.web_address(VARIABLE, "http://127.0.0.1:8000"),
    "cache_urls": lambda: environment.cache_urls(VARIABLE, 2),
}


@pytest.mark.parametrize(
    ("kind", "said", "meant"),
    [
        *(("flag", yes, True) for yes in ("", "1", "true", "YES", "on", " 1 ")),
        *(("flag", no, False) for no in ("0", "false", "No", "off")),
        *(("number", said, meant) for said, meant in [("", 4), ("1", 1), (" 65535", 65_535)]),
        *(("seconds", said, meant) for said, meant in [("", 10.0), ("0", 0.0), ("1.5", 1.5), ("1e3", 1000.0)]),
        *(("percent", said, Decimal(said or 10)) for said in ("", "0", "100", "12.5", "0.1")),
        *(("choice", said, meant) for said, meant in [("", "INFO"), ("debug", "DEBUG"), (" Info ", "INFO")]),
        ("networks", "", []),
        ("networks", " 127.0.0.1,::1 , 10.0.0.1/8,", ["127.0.0.1", "::1", "10.0.0.1/8"]),
        ("words", "a, b,,c ", ["a", "b", "c"]),
        ("text", "", "as it was"),
        ("text", "$ecret with = and #", "$ecret with = and #"),
        ("web_address", "", "http://127.0.0.1:8000"),
        ("web_address", " https://a.example/ ", "https://a.example"),
        ("web_address", "http://my_storage:8333", "http://my_storage:8333"),
        ("web_address", "http://[::1]:80/path/", "http://[::1]:80/path"),
        ("cache_urls", "redis://host", ["redis://host/0", "redis://host/1"]),
        ("cache_urls", "redis://host:6379/", ["redis://host:6379/0", "redis://host:6379/1"]),
        ("cache_urls", "redis://:a%2Fb@host/7", ["redis://:a%2Fb@host/7", "redis://:a%2Fb@host/8"]),
        (
            "cache_urls",
            "rediss://host/0?ssl_ca_certs=/etc/ca.pem",
            ["rediss://host/0?ssl_ca_certs=/etc/ca.pem", "rediss://host/1?ssl_ca_certs=/etc/ca.pem"],
        ),
        ("cache_urls", "unix:///run/valkey.sock", ["unix:///run/valkey.sock?db=0", "unix:///run/valkey.sock?db=1"]),
        ("cache_urls", "unix:///a?password=b&db=3", ["unix:///a?password=b&db=3", "unix:///a?password=b&db=4"]),
    ],
)
def test_what_a_variable_says(monkeypatch, kind, said, meant):
    monkeypatch.setenv(VARIABLE, said)

    found = READERS[kind]()

    assert (found, type(found)) == (meant, type(meant))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        *(("flag", said) for said in ("maybe", "2", "-1", "yess")),
        *(("number", said) for said in ("0", "65536", "1.5", "abc", "0x10", "\uff11")),
        *(("seconds", said) for said in ("-1", "10s", "inf", "nan", "86401", "1,5")),
        *(("percent", said) for said in ("101", "-1", "NaN", "Infinity", "10%")),
        *(("choice", said) for said in ("loud", "INF")),
        *(("networks", said) for said in ("localhost", "10.0.0.0/33", "127.0.0.1;::1")),
        *(
            ("web_address", said)
            for said in ("a.example", "//a.example", "ftp://a.example", "http://", "http://a:99999")
        ),
        *(
            ("cache_urls", said)
            for said in (
                "",
                "host",
                "http://host",
                "redis://",
                "redis://host:x",
                "redis://host:0",
                "redis://host/x",
                "unix:///a?db=x",
            )
        ),
    ],
)
def test_what_it_must_not_say_is_told_with_its_name(monkeypatch, kind, said):
    monkeypatch.setenv(VARIABLE, said)

    with pytest.raises(ImproperlyConfigured, match=rf"^The environment variable {VARIABLE}\b.*\.$"):
        READERS[kind]()


@pytest.mark.parametrize(("said", "meant"), [("", 10_000), ("0.0004", 1), ("0.0015", 2), ("500", 500_000)])
def test_a_limit_is_told_in_milliseconds_and_never_as_none(monkeypatch, said, meant):
    monkeypatch.setenv("DATABASE_LOCK_TIMEOUT", said)

    assert f"-c lock_timeout={meant} " in environment.postgres_options({})["options"]


def test_a_limit_of_0_is_none(monkeypatch):
    monkeypatch.setenv("DATABASE_LOCK_TIMEOUT", "0")

    assert "lock_timeout" not in environment.postgres_options({})["options"]
