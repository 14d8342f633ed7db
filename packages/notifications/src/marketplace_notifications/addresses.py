"""Where a webhook may go: to the public internet, and to nothing that only we can reach.

Users supply the URL and we call it. Without these checks they could reach, through us, our own servers and a cloud's
metadata (SSRF).
"""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import urlsplit

from .conf import conf

# What is not the public internet, by IANA's registries of special-purpose addresses. Of IPv6 2000::/3 is given out.
SPECIAL = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # private to a carrier
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's own servers, as its machines see them
        "169.254.0.0/16",  # link-local: the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "::/3",  # loopback, IPv4-mapped, IPv4-compatible, NAT64
        "2001::/23",  # protocols, Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "4000::/2",  # not given out
        "8000::/1",  # not given out, unique local, link-local, multicast
    )
)
PORTS = {"https": 443, "http": 80}
UNPRIVILEGED = 1024
_VISIBLE = re.compile(r"[!-\[\]-~]+")  # ASCII without spaces and control characters, and without the backslash
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


class NotAllowed(Exception):
    """No webhook goes there: the code, and the sentence that its owner reads."""

    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(detail)


class Unresolved(Exception):
    """The name leads to no address, or nobody said so in time."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart, once: what was looked at is what is called."""

    scheme: str
    host: str
    port: int
    path: str  # and the query

    @property
    def authority(self) -> str:
        """For the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """The URL, if it is one that a webhook may have. NotAllowed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _invalid() from error
    host = parts.hostname or ""
    if not _VISIBLE.fullmatch(url) or not _is_host(host):
        raise _invalid()
    if parts.scheme != "https" and not (parts.scheme == "http" and conf.WEBHOOK_ALLOW_PRIVATE):
        raise NotAllowed("https_required", "The URL must begin with https://.")
    if "@" in parts.netloc:
        raise NotAllowed("credentials_in_url", "Leave out the user name and password: webhooks are signed.")
    port = PORTS[parts.scheme] if port is None else port
    if not _may_be_called(port):
        raise NotAllowed("port_not_allowed", f"Use port 443, or {UNPRIVILEGED} or higher.")
    query = f"?{parts.query}" if parts.query else ""
    return Target(parts.scheme, host, port, f"{parts.path or '/'}{query}")


def addresses_of(target: Target, within: float) -> Sequence[str]:
    """All the addresses of the target's host, looked up within so many seconds. NotAllowed where one of them is not
    public, whatever the others are; Unresolved.
    """
    found = _looked_up(target.host, target.port, within)
    if not conf.WEBHOOK_ALLOW_PRIVATE and not all(map(is_public, found)):
        raise NotAllowed("private_address", "The host must be on the public internet.")
    return found


def is_public(address: str) -> bool:
    """Whether it is an address of the public internet, of some machine there."""
    ip = ip_address(address)
    return not any(ip in network for network in SPECIAL)


def _invalid() -> NotAllowed:
    return NotAllowed("invalid_url", "The URL must be complete, and in ASCII.")


def _is_host(host: str) -> bool:
    """A name, or an address without a zone."""
    if ":" in host:
        try:
            return IPv6Address(host).scope_id is None
        except ValueError:
            return False
    return len(host) <= 253 and all(map(_LABEL.fullmatch, host.removesuffix(".").split(".")))


def _may_be_called(port: int) -> bool:
    """Below 1024 are mail, SSH and others that nobody wants to be sent what a stranger makes up."""
    return port == PORTS["https"] or port >= UNPRIVILEGED or (port > 0 and conf.WEBHOOK_ALLOW_PRIVATE)


def _looked_up(host: str, port: int, within: float) -> list[str]:
    """What this machine's resolver says. It knows no time-out, so it is asked in a thread that nobody waits for."""
    said: SimpleQueue[list[str]] = SimpleQueue()

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            answers = []
        said.put(list(dict.fromkeys(str(answer[4][0]) for answer in answers)))

    Thread(target=ask, name="webhook-lookup", daemon=True).start()
    try:
        found = said.get(timeout=within)
    except Empty:
        found = []
    if not found:
        raise Unresolved(host)
    return found
