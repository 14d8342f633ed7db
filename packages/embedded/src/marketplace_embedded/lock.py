"""One owner at a time for a folder, and no trust in process ids."""

import fcntl
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .exceptions import EmbeddedError
from .process import identity, until

GRACE = 5.0  # seconds


@dataclass
class FolderLock:
    """A lock on a folder, held by its owner and by the processes that inherit its descriptor.

    The kernel frees it when the last of them is gone, however they went. Beside it, `owner.json` says who owns it.
    """

    folder: Path
    fd: int | None = field(default=None, init=False)

    @property
    def _file(self) -> Path:
        return self.folder / "lock"

    @property
    def _note(self) -> Path:
        return self.folder / "owner.json"

    def acquire(self) -> int:
        """Take the lock, ending what a dead owner left running; raises EmbeddedError where a living one holds it."""
        fd = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _try_lock(fd):
                if owner := self._living_owner():
                    raise EmbeddedError(f"{self.folder} is in use by process {owner}.")
                self._end_others(lambda: _try_lock(fd))
        except BaseException:
            os.close(fd)
            raise
        self.fd = fd
        me = os.getpid()
        self._note.write_text(json.dumps({"pid": me, "identity": identity(me)}))
        return fd

    def drain(self) -> None:
        """End what our own server left running, by which the lock is held beside us."""
        self._end_others(lambda: not any(self._holders()))

    def _end_others(self, gone: Callable[[], bool]) -> None:
        """What is left has been told to end, or saw its parent die, so at first it is only given time."""
        if until(gone, GRACE):
            return
        for pid in self._holders():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not until(gone, GRACE):
            raise EmbeddedError(f"{self.folder} is in use by a process that does not end.")

    def _living_owner(self) -> int | None:
        try:
            note = json.loads(self._note.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return int(note["pid"]) if identity(note["pid"]) == note["identity"] else None

    def _holders(self) -> Iterator[int]:
        """The processes that have the lock file open, in sessions of their own as servers are: no fork of ours."""
        lock = self._file.stat()
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            with suppress(OSError):  # gone meanwhile, or another user's
                pid = int(link.parts[2])
                if os.path.samestat(link.stat(), lock) and os.getsid(pid) != os.getsid(0):
                    yield pid

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
