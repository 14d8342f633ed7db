"""One owner at a time for a folder, and no trust in process ids."""

import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from .exceptions import EmbeddedError
from .process import identity, kill_leftover, until


@dataclass
class FolderLock:
    """A lock on a folder, held by us and by the server that inherits its descriptor.

    The kernel frees it when the last of them is gone, however they went. Beside it, `owner.json` says who they were.
    """

    folder: Path
    fd: int | None = field(default=None, init=False)

    @property
    def _notes(self) -> Path:
        return self.folder / "owner.json"

    def acquire(self, timeout: float = 15.0) -> int:
        """Take the lock, ending what a dead owner left running; raises EmbeddedError where a living one holds it."""
        fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not _try_lock(fd):
            self._end_leftovers()
            if not until(lambda: _try_lock(fd), timeout):
                os.close(fd)
                raise EmbeddedError(f"{self.folder} is in use by a process that does not end.")
        self.fd = fd
        self.note(None)
        return fd

    def _end_leftovers(self) -> None:
        owner, server = self._read("owner"), self._read("server")
        if owner and identity(owner[0]) == owner[1]:
            raise EmbeddedError(f"{self.folder} is in use by process {owner[0]}.")
        if server:
            kill_leftover(*server)

    def _read(self, who: str) -> tuple[int, str] | None:
        try:
            pid, name = json.loads(self._notes.read_text())[who]
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None
        return int(pid), str(name)

    def note(self, server: int | None) -> None:
        """Write down who owns the folder and which process serves it."""
        pids = {"owner": os.getpid(), "server": server}
        self._notes.write_text(json.dumps({who: pid and (pid, identity(pid)) for who, pid in pids.items()}))

    def release(self) -> None:
        """Give up our share of the lock."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
