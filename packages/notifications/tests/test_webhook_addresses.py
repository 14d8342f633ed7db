"""Where webhooks may go: the whole table of addresses, and of ways to write a URL."""

import socket
from threading import Event

import pytest

from marketplace_notifications.addresses import (
    SPECIAL,
    NotAllowed,
    Target,
    Unresolved,
    addresses_of,
    is_public,
    target_of,
)

# Each network by its first and last address, or an address known by name.
REFUSED = {
    "this host": ["0.0.0.0", "0.255.255.255"],
    "private": ["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"],
    "private to a carrier": ["100.64.0.0", "100.127.255.255"],
    "loopback": ["127.0.0.0", "127.0.0.1", "127.255.255.255", "::1"],
    "link-local": ["169.254.0.0", "169.254.255.255", "fe80::", "febf:ffff::1", "fe80::1%eth0", "fec0::1"],
    "metadata": ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192"],
    "metadata by IPv6": ["fd00:ec2::254", "fd20:ce::254"],
    "protocols": ["192.0.0.0", "192.0.0.255", "2001::", "2001:1ff:ffff::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.255", "2001:db8::1", "3fff::1", "3fff:fff::1"],
    "benchmarks": ["198.18.0.0", "198.19.255.255"],
    "multicast": ["224.0.0.0", "239.255.255.255", "ff00::", "ff02::1", "ffff:ffff::1"],
    "reserved": ["240.0.0.0", "255.255.255.254", "4000::", "5f00::1", "8000::", "e000::1"],
    "broadcast": ["255.255.255.255"],
    "unspecified": ["::"],
    "unique local": ["fc00::", "fdff:ffff::1"],
    "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:0"],
    "IPv4-compatible": ["::127.0.0.1", "::8.8.8.8"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1"],
    "6to4": ["2002::", "2002:7f00:1::1", "2002:808:808::1", "192.88.99.1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
}
# The neighbours of those networks, and some that everybody knows.
PUBLIC = [
    *("1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"),
    *("168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0"),
    *("191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0"),
    *("198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0"),
    *("223.255.255.255", "1.1.1.1", "8.8.8.8"),
    *(
        "2000::",
        "2001:200::1",
        "2001:db7::1",
        "2001:db9::1",
        "2003::1",
        "2606:4700:4700::1111",
        "3ffe::1",
        "3fff:1000::",
    ),
]


@pytest.mark.parametrize("address", [address for addresses in REFUSED.values() for address in addresses])
def test_these_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_these_are(address):
    assert is_public(address)


def test_every_network_of_the_table_is_looked_at():
    """Each first and last address, whatever the lists above have."""
    for network in SPECIAL:
        assert not is_public(str(network[0]))
        assert not is_public(str(network[-1]))


@pytest.fixture
def private_allowed(settings):
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "WEBHOOK_ALLOW_PRIVATE": True}


URLS = {
    "https://hooks.example.com/marketplace?key=1#top": Target("https", "hooks.example.com", 443, "/marketplace?key=1"),
    "HTTPS://Hooks.Example.COM": Target("https", "hooks.example.com", 443, "/"),
    "https://hooks.example.com:8443/": Target("https", "hooks.example.com", 8443, "/"),
    "https://hooks.example.com:443?a=b": Target("https", "hooks.example.com", 443, "/?a=b"),
    "https://hooks.example.com.:1024/": Target("https", "hooks.example.com.", 1024, "/"),
    "https://my_hooks.example.com/%20": Target("https", "my_hooks.example.com", 443, "/%20"),
    "https://xn--mnchen-3ya.example/": Target("https", "xn--mnchen-3ya.example", 443, "/"),
    "https://1.1.1.1/": Target("https", "1.1.1.1", 443, "/"),
    "https://[2606:4700:4700::1111]:8443/": Target("https", "2606:4700:4700::1111", 8443, "/"),
}
NO_URLS = {
    "invalid_url": [
        *(
            "",
            "hooks",
            "/hooks",
            "https:",
            "https://",
            "https:///hooks",
            "https://?",
            "mailto:a@b",
        ),
        *("https://hooks.example.com:port/", "https://hooks.example.com:65536/", "https://hooks.example.com:-1/"),
        *("https://[::1", "https://::1]/", "https://[::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[1.2.3]/"),
        *(
            "https://a..b/",
            "https://.example.com/",
            "https://-a.example.com/",
            "https://a-/",
            f"https://{'a' * 64}.com/",
        ),
        *(f"https://{'a.' * 127}/", "https://a%2eb/", "https://a*b/", "https://a,b/"),
        *(" https://hooks.example.com/", "https://hooks.example.com/ a", "https://hooks.example.com/\r\nX: y"),
        *("https://hooks.example.com\t/", "https://hooks.example.com\\@127.0.0.1/", "https://münchen.example/"),
        *("https://hooks.example.com/ü", "https://\uff11\uff12\uff17.0.0.1/", "https://\u24d4xample.com/"),
    ],
    "https_required": [
        *(
            "//hooks.example.com/",
            "http://hooks.example.com/",
            "ftp://hooks.example.com/",
            "file://hooks.example.com/etc/passwd",
        ),
        *("gopher://hooks.example.com/", "ws://hooks.example.com/", "unix://hooks.example.com/"),
    ],
    "credentials_in_url": [
        *("https://user:password@hooks.example.com/", "https://user@hooks.example.com/", "https://@hooks.example.com/"),
        "https://hooks.example.com@127.0.0.1/",
    ],
    "port_not_allowed": [f"https://hooks.example.com:{port}/" for port in (0, 22, 25, 80, 442, 444, 1023)],
}


@pytest.mark.parametrize("url", URLS)
def test_a_url_is_taken_apart(url):
    assert target_of(url) == URLS[url]


@pytest.mark.parametrize(("code", "url"), [(code, url) for code, urls in NO_URLS.items() for url in urls])
def test_these_are_no_urls_of_webhooks(code, url):
    with pytest.raises(NotAllowed) as refusal:
        target_of(url)
    assert refusal.value.code == code


@pytest.mark.usefixtures("private_allowed")
def test_on_a_developers_machine_http_and_any_port_will_do():
    assert target_of("http://127.0.0.1:9/hook") == Target("http", "127.0.0.1", 9, "/hook")
    assert target_of("http://localhost") == Target("http", "localhost", 80, "/")
    for url in ("ftp://localhost/", "http://a@localhost/", "http://localhost:0/"):
        with pytest.raises(NotAllowed):
            target_of(url)


def test_the_host_header():
    for url, host in {
        "https://hooks.example.com/": "hooks.example.com",
        "https://hooks.example.com:8443/": "hooks.example.com:8443",
        "https://[2606:4700:4700::1111]/": "[2606:4700:4700::1111]",
        "https://[2606:4700:4700::1111]:8443/": "[2606:4700:4700::1111]:8443",
    }.items():
        assert target_of(url).authority == host


# --- the ways in which one address can be written, and names that lead there ---

WRITTEN = [
    *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0"),
    *("localhost", "LOCALHOST", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    *("169.254.169.254", "2852039166", "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]"),
]


@pytest.mark.parametrize("host", WRITTEN)
def test_however_a_private_address_is_written(host):
    with pytest.raises(NotAllowed) as refusal:
        addresses_of(target_of(f"https://{host}/"), within=5)
    assert refusal.value.code == "private_address"


@pytest.fixture
def resolver(monkeypatch):
    """What the network's resolver says of names; addresses go to the real one."""
    names, ask = {}, socket.getaddrinfo

    def answer(host, port, *args, **kwargs):
        if host not in names:
            return ask(host, port, *args, **kwargs)
        if not names[host]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [entry for address in names[host] for entry in ask(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return names


def test_a_name_is_all_its_addresses(resolver):
    resolver["hooks.example.com"] = ["1.1.1.1", "2606:4700:4700::1111", "1.1.1.1"]
    found = addresses_of(target_of("https://hooks.example.com/"), within=5)
    assert found == ["1.1.1.1", "2606:4700:4700::1111"]


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["1.1.1.1", "::1"], ["fe80::1", "1.1.1.1"]]
)
def test_one_private_address_is_enough(resolver, addresses):
    resolver["hooks.example.com"] = addresses
    with pytest.raises(NotAllowed):
        addresses_of(target_of("https://hooks.example.com/"), within=5)


def test_a_name_that_leads_nowhere(resolver):
    resolver["hooks.example.com"] = []
    with pytest.raises(Unresolved):
        addresses_of(target_of("https://hooks.example.com/"), within=5)


def test_a_resolver_that_says_nothing_is_not_waited_for(monkeypatch):
    over = Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait() and [])
    with pytest.raises(Unresolved):
        addresses_of(target_of("https://hooks.example.com/"), within=0.05)
    over.set()
