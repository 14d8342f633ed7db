"""Whose `X-Forwarded-` headers are believed: those of TRUSTED_PROXIES, and nobody else's."""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse

PREFIX = "HTTP_X_FORWARDED_"


def believe_trusted(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Drop forwarding headers (address and https) from untrusted senders. Must come before all other middleware."""

    def middleware(request: HttpRequest) -> HttpResponse:
        meta = request.META
        if not is_trusted(meta.get("REMOTE_ADDR", ""), tuple(settings.TRUSTED_PROXIES)):
            for name in [name for name in meta if name.startswith(PREFIX)]:
                del meta[name]
        return get_response(request)

    return middleware


@lru_cache(1024)
def is_trusted(address: str, proxies: tuple[str, ...]) -> bool:
    """Whether an address is, or lies in, one of these; an IPv4 one in whichever form it comes."""
    try:
        ip = ip_address(address)
    except ValueError:  # a unix socket has none
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return any(ip in ip_network(proxy, strict=False) for proxy in proxies)
