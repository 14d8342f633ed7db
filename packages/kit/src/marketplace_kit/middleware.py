"""What surrounds every request: its id, its client's address, its line in the log, and errors below /api/."""

import re
import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from secrets import token_hex
from typing import Any

import structlog
from django.db import connection
from django.http import HttpRequest, HttpResponse

from .conf import conf
from .problems import MEDIA_TYPE, problem

type GetResponse = Callable[[HttpRequest], HttpResponse]

log = structlog.get_logger("marketplace.request")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_context(get_response: GetResponse) -> GetResponse:
    """Give the request an `id` and a trusted `client_address`, and write one line of log when it is answered."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.id = request_id(request)  # type: ignore[attr-defined]
        request.client_address = client_address(request)  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.id)  # type: ignore[attr-defined]
        started = time.perf_counter()
        queries = _Queries()
        with connection.execute_wrapper(queries):
            response = get_response(request)
        response["X-Request-ID"] = request.id  # type: ignore[attr-defined]
        _log_answer(request, response, time.perf_counter() - started, queries.count)
        return response

    return middleware


class _Queries:
    """Counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        self.count += 1
        return execute(sql, params, many, context)


def request_id(request: HttpRequest) -> str:
    """The client's `X-Request-ID` if it is well-formed, else a new one."""
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    return given if _REQUEST_ID.fullmatch(given) else token_hex(16)


def _log_answer(request: HttpRequest, response: HttpResponse, seconds: float, queries: int) -> None:
    match = request.resolver_match
    # The user, if anything has looked them up already. Logging looks nobody up by itself.
    user = getattr(request, "_signed_in_user", None) or getattr(request, "_cached_user", None)
    user_id = getattr(user, "pk", None)
    write = log.warning if response.status_code >= 500 else log.info
    write(
        "request",
        method=request.method,
        route=f"/{match.route}" if match else None,
        status=response.status_code,
        ms=round(seconds * 1000, 1),
        sql=queries,
        user_id=None if user_id is None else str(user_id),
    )


def client_address(request: HttpRequest) -> str:
    """The address that the request came from: the last hop in `X-Forwarded-For` that is not a trusted proxy.

    The header is believed only as far as TRUSTED_PROXIES wrote it. An IPv4 address mapped into IPv6 is unwrapped.
    """
    hops = [h.strip() for h in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if h.strip()]
    address = _plain(request.META.get("REMOTE_ADDR", ""))
    while hops and _is_trusted(address, tuple(conf.TRUSTED_PROXIES)):
        address = _plain(hops.pop())
    return address


@lru_cache(1024)
def _plain(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return "0.0.0.0"  # noqa: S104  (no address to bind: a unix socket, or a header that is no address: one bucket for all of them
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


@lru_cache(1024)
def _is_trusted(address: str, proxies: tuple[str, ...]) -> bool:
    return any(ip_address(address) in ip_network(proxy, strict=False) for proxy in proxies)


def known_host(get_response: GetResponse) -> GetResponse:
    """Answer 400 to requests for a host that is not in ALLOWED_HOSTS, even if no view checks it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.get_host()
        return get_response(request)

    return middleware


def api_errors(get_response: GetResponse) -> GetResponse:
    """Below the API's prefix every error is a problem document: Django's own 400, 404, 405 and 500 pages too."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.status_code < 400 or not request.path_info.startswith(conf.API_PREFIX):
            return response
        if response.get("Content-Type", "").startswith(MEDIA_TYPE):
            return response
        headers = {k: v for k, v in response.items() if k not in ("Content-Type", "Content-Length")}
        return problem(request, response.status_code, headers=headers)

    return middleware


def _with_head(allowed: str) -> str:
    methods = {method.strip() for method in allowed.split(",") if method.strip()}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def plain_http(get_response: GetResponse) -> GetResponse:
    """Support HEAD wherever there is GET, and set Content-Length: Ninja does neither.

    The WSGI server drops the body of an answer to HEAD.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        asks_head = request.method == "HEAD" and request.path_info.startswith(conf.API_PREFIX)
        request.method = "GET" if asks_head else request.method
        response = get_response(request)
        request.method = "HEAD" if asks_head else request.method
        if response.status_code == 405 and request.path_info.startswith(conf.API_PREFIX):
            response["Allow"] = _with_head(response.get("Allow", ""))
        bodiless = response.status_code < 200 or response.status_code in (204, 304)
        if not (response.streaming or bodiless or response.has_header("Content-Length")):
            response["Content-Length"] = str(len(response.content))
        return response

    return middleware
