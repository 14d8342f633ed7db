"""The data dir: everything that a system on this machine keeps, and its secrets, made once."""

import base64
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VARIABLE = "MARKETPLACE_DATA_DIR"
DEFAULT = ".marketplace"
HEADER = "# The secrets of this data dir, made once. Who has them may sign in as anybody.\n"


class CannotStartError(Exception):
    """The system cannot start; the message is one clear sentence."""


def webhook_secret() -> str:
    """A secret as Standard Webhooks wants it: 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


SECRETS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "JWT_SIGNING_KEY": lambda: secrets.token_urlsafe(48),
    "MOCK_GATEWAY_WEBHOOK_SECRET": webhook_secret,
    "S3_ACCESS_KEY_ID": lambda: secrets.token_hex(10),
    "S3_SECRET_ACCESS_KEY": lambda: secrets.token_urlsafe(30),
}

# And those of the servers that docker-compose.yml starts.
DEPLOYED: dict[str, Callable[[], str]] = {
    "POSTGRES_PASSWORD": lambda: secrets.token_urlsafe(24),
    "CACHE_PASSWORD": lambda: secrets.token_urlsafe(24),
}


class DataDir:
    """A folder; it need not exist."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(os.path.expanduser(path)).absolute()  # noqa: PTH111 - pathlib's raises for a user that is none

    @property
    def logs(self) -> Path:
        """Where the processes write their logs."""
        return self.path / "logs"

    @property
    def mail(self) -> Path:
        """Where mail is written, one file per message."""
        return self.path / "mail"

    @property
    def metrics(self) -> Path:
        """Where the processes count."""
        return self.path / "metrics"

    @property
    def bytecode(self) -> Path:
        """Where compiled modules are kept, if not beside their source."""
        return self.path / "bytecode"

    def make(self) -> None:
        """Make the folder, for us alone; raises CannotStartError where that is not allowed."""
        try:
            self.path.mkdir(0o700, parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
            self.mail.mkdir(exist_ok=True)
        except OSError as error:
            raise CannotStartError(f"The data dir {self.path} cannot be used: {error.strerror}.") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Have the folder for ourselves, made where it is missing; raises CannotStartError where another has it."""
        from marketplace_embedded.exceptions import EmbeddedError  # not part of a production image
        from marketplace_embedded.lock import FolderLock

        self.make()
        lock = FolderLock(self.path)
        try:
            lock.acquire()
        except EmbeddedError as error:
            other = self.run()
            what = f"process {other['pid']} runs the system at {other['url']}." if other else str(error)
            raise CannotStartError(
                f"The data dir {self.path} is in use: {what} Stop it first, or choose another with --data-dir."
            ) from error
        try:
            yield
        finally:
            lock.release()

    def known_secrets(self) -> dict[str, str]:
        """The secrets that an earlier start made; nothing where there was none."""
        try:
            lines = (self.path / "env").read_text().splitlines()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise CannotStartError(f"The data dir {self.path} belongs to another user: {error.strerror}.") from error
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    def secrets(self) -> dict[str, str]:
        """The secrets; those that are missing are made and kept."""
        known = self.known_secrets()
        missing = {name: make() for name, make in SECRETS.items() if name not in known}
        if missing:
            known |= missing
            write_private(self.path / "env", HEADER + "".join(f"{name}={value}\n" for name, value in known.items()))
        return known

    def note_run(self, *, url: str, ready: bool, env: Mapping[str, str]) -> None:
        """Tell other commands that `up` runs here, and where its servers are."""
        from marketplace_embedded.process import identity  # not part of a production image

        me = os.getpid()
        run = {"pid": me, "identity": identity(me), "url": url, "ready": ready, "env": dict(env)}
        write_private(self.path / "run.json", json.dumps(run, indent=2))

    def forget_run(self) -> None:
        """`up` does not run here any more."""
        (self.path / "run.json").unlink(missing_ok=True)

    def forget_metrics(self) -> None:
        """What earlier processes counted is over."""
        shutil.rmtree(self.metrics, ignore_errors=True)

    def run(self) -> dict[str, Any] | None:
        """What `note_run` told, if that process lives."""
        try:
            run: dict[str, Any] = json.loads((self.path / "run.json").read_text())
        except (OSError, ValueError):
            return None
        try:
            from marketplace_embedded.process import identity
        except ModuleNotFoundError:  # in a production image, where nothing was started from wheels
            return None
        return run if identity(run["pid"]) == run["identity"] else None


def write_private(path: Path, text: str) -> None:
    """Write a file that only we may read, whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(0o600, exist_ok=False)
    new.write_text(text)
    new.replace(path)


def chosen(argv: list[str]) -> tuple[list[str], DataDir]:
    """The command line without its `--data-dir`, and the data dir: that one, or the environment's, or the default."""
    rest, path = [], os.environ.get(VARIABLE) or DEFAULT
    words = iter(argv)
    for word in words:
        if word == "--data-dir":
            path = next(words, path)
        elif word.startswith("--data-dir="):
            path = word.removeprefix("--data-dir=")
        else:
            rest.append(word)
    return rest, DataDir(path)
