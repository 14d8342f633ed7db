"""Free TCP ports of this machine."""

import errno
import random
import socket
from collections.abc import Sequence
from contextlib import closing

from .exceptions import EmbeddedError

LOOPBACK = "127.0.0.1"
# Below the range from which Linux takes the near end of outgoing connections, so that none of those lands on a port
# between our look at it and the server's.
RANGE = range(16_000, 32_000)


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on this port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def pick(count: int, preferred: Sequence[int] = ()) -> list[int]:
    """`count` free ports: the preferred ones where all of them are free, so that addresses outlive a restart."""
    if len(preferred) == count and all(is_free(port) for port in preferred):
        return list(preferred)
    candidates = random.sample(RANGE, len(RANGE))
    found = [port for port, _ in zip(filter(is_free, candidates), range(count), strict=False)]
    if len(found) < count:
        raise EmbeddedError("This machine has no free TCP port left.")
    return found
