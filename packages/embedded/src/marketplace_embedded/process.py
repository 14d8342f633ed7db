"""One child process: it dies with us, is told apart from a stranger that got its number, and stops when asked."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from .account import Account

LAUNCHER = Path(__file__).with_name("launcher.py")
POLL = 0.02  # seconds
KILL_TIMEOUT = 5.0  # seconds that the kernel may take

type Stops = Sequence[tuple[signal.Signals, float]]


def identity(pid: int) -> str | None:
    """What no other process of this machine shares, ever: its start in clock ticks and the boot; None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat[stat.rindex(")") + 2 :].split()
    return None if state in "ZX" else f"{boot}:{fields[18]}"


def wrap(command: Sequence[str | Path], death: signal.Signals, account: Account | None) -> list[str]:
    """The command line that runs `command` and sends it the signal `death` when the thread that started it ends."""
    options: dict[str, int] = {"parent": os.getpid(), "signal": int(death)}
    if account:
        options |= {"uid": account.uid, "gid": account.gid, "search": account.search}
    return [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(options), *map(str, command)]


@dataclass
class Child:
    """A process in a session of its own (Ctrl-C in the terminal is ours to pass on), writing to `log`.

    Start it from a thread that outlives it: Linux reports the end of the starting thread as the parent's death.
    """

    command: Sequence[str | Path]
    log: Path
    env: Mapping[str, str]
    cwd: Path | None = None
    account: Account | None = None
    death: signal.Signals = signal.SIGTERM
    stops: Stops = ((signal.SIGTERM, 10.0),)
    pass_fds: Sequence[int] = ()
    popen: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _asked: bool = field(default=False, init=False)

    def start(self) -> None:
        """Start it."""
        self._asked = False
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(  # noqa: S603 - the command is ours
                wrap(self.command, self.death, self.account),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.env),
                cwd=self.cwd,
                pass_fds=tuple(self.pass_fds),
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether it runs. One that ended is kept as a zombie until `stop`, so that nobody else gets its number."""
        if self.popen is None:
            return False
        return os.waitid(os.P_PID, self.popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self.popen.pid if self.popen and self.alive else None

    def ask(self) -> None:
        """Ask it to end, without waiting; `stop` must follow."""
        if self.popen and self.alive and not self._asked:
            os.kill(self.popen.pid, self.stops[0][0])
            self._asked = True

    def stop(self) -> int | None:
        """Ask it to end, the next signal after each time-out, SIGKILL at last; then kill what it left in its group.

        Returns its exit status, negative for a signal's number; None where it never ran.
        """
        if self.popen is None:
            return None
        self.ask()
        until(lambda: not self.alive, self.stops[0][1])
        for number, timeout in self.stops[1:]:
            if self.alive:
                os.kill(self.popen.pid, number)
                until(lambda: not self.alive, timeout)
        kill_group(self.popen.pid)
        status = self.popen.wait()
        self.popen = None
        return status


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log, which may not exist."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        text = file.read().decode(errors="replace")
    return "\n".join(text.strip().splitlines()[-lines:])


def kill_group(pgid: int) -> None:
    """SIGKILL whatever is left in a process group."""
    try:
        os.killpg(pgid, signal.SIGKILL)
    except ProcessLookupError:
        return


def kill_leftover(pid: int, name: str, timeout: float = 5.0) -> None:
    """End the process that had this identity when it was noted, and its group; a stranger with its number is spared.

    It got its signal when its owner died, so at first it is only given time.
    """
    if not until(lambda: identity(pid) != name, timeout):
        kill_group(pid)
        until(lambda: identity(pid) != name, KILL_TIMEOUT)


def until(condition: Callable[[], bool], timeout: float) -> bool:
    """Wait until the condition holds; False if it does not within `timeout` seconds."""
    end = monotonic() + timeout
    while not condition():
        if monotonic() > end:
            return False
        sleep(POLL)
    return True
