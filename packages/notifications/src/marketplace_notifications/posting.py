"""The one place from which we call strangers: one POST, to an address that was looked at, and little time.

By httpcore and not httpx: nothing here follows redirects, unpacks answers, keeps cookies, or goes through a proxy that
the environment names.
"""

import email.utils
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, override

import httpcore

from marketplace_kit.clock import now

from .addresses import NotAllowed, Target, Unresolved, addresses_of, target_of
from .conf import conf

ANSWER_BYTES = 4096  # of an answer's body, which we don't use: read only to let its sender finish
FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a POST: the status, or what stood in its way."""

    status: int | None
    fault: str = ""
    retry_after: timedelta | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """POST the body. Never raises for what the receiver, or its network, does."""
    deadline = Deadline(conf.WEBHOOK_TIMEOUT)
    try:
        target = target_of(url)
        return _exchange(target, addresses_of(target, deadline.left()), deadline, headers, body)
    except NotAllowed as refusal:
        return Answer(None, refusal.code)
    except Unresolved:
        return Answer(None, "unresolved")
    except FAILURES as error:
        return Answer(None, _fault(error))


def _exchange(
    target: Target, addresses: Sequence[str], deadline: "Deadline", headers: Mapping[str, str], body: bytes
) -> Answer:
    url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
    backend = Pinned(addresses, deadline)
    every = {"Host": target.authority, **headers, "Connection": "close"}
    with (
        httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend, retries=0) as pool,
        pool.stream("POST", url, headers=list(every.items()), content=body) as response,
    ):
        _read_a_little(response)
        return Answer(response.status, retry_after=_retry_after(response.headers))


def _read_a_little(response: httpcore.Response) -> None:
    """The status is known: whatever the body does changes nothing."""
    size = 0
    with suppress(*FAILURES):
        for chunk in response.iter_stream():
            size += len(chunk)
            if size >= ANSWER_BYTES:
                return


def _fault(error: Exception) -> str:
    if isinstance(error, httpcore.TimeoutException):
        return "timeout"
    # httpcore gives what it met as the argument of its own.
    return "tls" if any(isinstance(met, ssl.SSLError) for met in error.args) else "unreachable"


def _retry_after(headers: Iterable[tuple[bytes, bytes]]) -> timedelta | None:
    """How long the receiver asks us to wait, by RFC 9110, 10.2.3; None if it doesn't, or not legibly."""
    value = next((value.decode("latin-1") for name, value in headers if name.lower() == b"retry-after"), "")
    if value.isascii() and value.isdigit():
        return timedelta(seconds=int(value[:9]))
    try:
        return max(email.utils.parsedate_to_datetime(value) - now(), timedelta(0))
    except (ValueError, TypeError, OverflowError):  # TypeError: a date without a zone
        return None


@cache
def _tls() -> ssl.SSLContext:
    """Certificates are held against this machine's authorities and certifi's. Made once: reading them takes a while."""
    return httpcore.default_ssl_context()


# --- the connection ---


class Deadline:
    """So many seconds from now, for all that is to be done."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, at_most: float | None = None) -> float:
        """The seconds that are left, more than none. httpcore.ReadTimeout where there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left if at_most is None else min(left, at_most)


class Pinned(httpcore.NetworkBackend):
    """Connects to one of these addresses, whatever the name leads to by now; all of it within the deadline.

    The name still goes into `Host` and TLS, where the certificate must be the name's.
    """

    def __init__(self, addresses: Sequence[str], deadline: Deadline) -> None:
        self._addresses, self._deadline, self._network = addresses, deadline, httpcore.SyncBackend()

    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        error: Exception = httpcore.ConnectError(host)
        for address in self._addresses:
            try:
                patience = self._deadline.left(conf.WEBHOOK_CONNECT_TIMEOUT)
                return Timed(self._network.connect_tcp(address, port, patience), self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failure:
                error = failure
        raise error


class Timed(httpcore.NetworkStream):
    """A stream on which no wait is longer than what is left: a time-out of its own would begin anew with each byte."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left())

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left())

    @override
    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return Timed(self._stream.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    @override
    def close(self) -> None:
        self._stream.close()
