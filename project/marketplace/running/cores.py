"""One core at a time for a process whose threads take turns at Python's lock.

A thread gives the lock away around each call of the system, however short, and wakes another that waits for it. On a
core of its own that one is awake in time to take it, and the first has to wait and be woken in its turn; where both are
on one core, the first is back before the other runs. Four busy threads, of which one at a time runs Python anyway, get
a third more done that way; docs/performance.md has the figures.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from marketplace.variables import flag

log = structlog.get_logger(__name__)

STAY = 1.0  # seconds on one core: as long as a core is shared with somebody busy while another one is free
CHOICE = 0.01  # seconds, in which the kernel may take us to that one


def share_one() -> None:
    """Keep all threads of this process on one core; once a second the kernel may choose another.

    What it starts may run on all of them: a program has a lock of its own, and nobody would move it to another core.
    Nothing happens with `ONE_CORE=0` in the environment, where there is but one core, or where the system is not Linux.
    """
    if not flag("ONE_CORE", True) or sys.platform != "linux":
        return
    cores = os.sched_getaffinity(0)
    if len(cores) > 1:
        sys.addaudithook(partial(_let_start, cores))
        threading.Thread(target=_stay, args=(cores,), name="one core", daemon=True).start()


def _stay(cores: AbstractSet[int]) -> None:
    try:
        while True:
            _allow(cores)
            time.sleep(CHOICE)
            _allow({_current()})
            time.sleep(STAY)
    except OSError as error:  # forbidden, or these cores are no longer ours: it serves as well without
        log.warning("cores_not_chosen", reason=error.strerror)
        # The kernel remembers the one that we asked for last, and would keep us there once it is ours again.
        with contextlib.suppress(OSError):
            _allow({*range(os.cpu_count() or 1)})


def _let_start(cores: AbstractSet[int], event: str, _: Any) -> None:
    """A program inherits the cores of the thread that starts it; that one is back with the others within a second."""
    if event == "subprocess.Popen":
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, cores)


def _allow(cores: AbstractSet[int]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(int(thread.name), cores)


def _current() -> int:
    """The core that this thread runs on: the 39th field (proc_pid_stat(5)); the second, a name, may have blanks."""
    return int(Path("/proc/thread-self/stat").read_text().rpartition(")")[2].split()[36])
