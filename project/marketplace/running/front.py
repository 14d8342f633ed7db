"""The one address that the system is reached at."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from marketplace.variables import number, words
from marketplace_embedded import ports

from .datadir import CannotStartError

CADDYFILE = Path(__file__).parents[1] / "Caddyfile"
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - only where `--host` asks for it


@dataclass(frozen=True)
class Front:
    """A host and a port; port 0 picks a free one."""

    host: str
    port: int

    @classmethod
    def at(cls, host: str, port: int) -> "Front":
        """The front at a port that is free; raises CannotStartError where it is taken."""
        front = cls(host, port or ports.pick(1)[0])
        try:
            taken = [address for address in front.addresses if not ports.is_free(front.port, address)]
        except OSError as error:
            raise CannotStartError(f"Cannot listen on {host}: {error.strerror}.") from error
        if taken:
            raise CannotStartError(
                f"Port {port} of {taken[0]} is taken: stop what listens there, or choose another with --port."
            )
        return front

    @property
    def addresses(self) -> list[str]:
        """What it listens on: of this machine's loopback both families, as `localhost` may mean either."""
        if self.host in ("127.0.0.1", "localhost"):
            return ["127.0.0.1", *(["::1"] if _has_ipv6() else [])]
        return [self.host]

    @property
    def url(self) -> str:
        """How it is reached from this machine."""
        host = "127.0.0.1" if self.host in (*EVERYWHERE, "localhost") else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def refuse_taken_metrics() -> None:
    """Raise CannotStartError where METRICS_PORT is another's: several processes may listen there, and would mix."""
    port = number("METRICS_PORT", 0, most=65_535)
    if port and not ports.is_free(port):
        raise CannotStartError(f"Port {port} is taken. Choose another METRICS_PORT, or leave it out to use a free one.")


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def variables(front: Front, api: int, stream: int, *, own_storage: bool) -> dict[str, str]:
    """What the Caddyfile's placeholders stand for: the ports of the API's and the stream's process, and the storage."""
    endpoint = os.environ["S3_ENDPOINT_URL"]
    return {
        "SITE_ADDRESS": f"http://:{front.port}",
        "BIND_ADDRESSES": " ".join(front.addresses),
        "API_UPSTREAM": f"127.0.0.1:{api}",
        "STREAM_UPSTREAM": f"127.0.0.1:{stream}",
        # A storage somewhere else is reached without us: then no path of ours leads to it.
        "S3_UPSTREAM": endpoint.removeprefix("http://") if own_storage else f"127.0.0.1:{api}",
        "S3_BUCKET": os.environ.get("S3_BUCKET", "marketplace"),
        "CORS_ALLOWED_ORIGINS": ",".join(words("CORS_ALLOWED_ORIGINS")),
    }
