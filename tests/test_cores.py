"""Whether a process that shares one core does so with all its threads, and lets the kernel choose which."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from marketplace_embedded.process import until

CORES = os.sched_getaffinity(0)
PATIENCE = 30.0  # seconds
# Two threads, one of them older than the sharing, which live as long as somebody listens.
SHARING = """
import sys, threading
from marketplace.running import cores
over = threading.Event()
threading.Thread(target=over.wait).start()
{before}
cores.share_one()
threading.Thread(target=over.wait).start()
print("shared", file=sys.stderr, flush=True)
sys.stdin.read()
over.set()
"""

# Says on which cores a program runs that it starts once it keeps to one.
STARTING = """
import os, subprocess, sys, time
from marketplace.running import cores
cores.share_one()
while len(os.sched_getaffinity(0)) > 1:
    time.sleep(0.01)
subprocess.run([sys.executable, "-c", "import os; print(*os.sched_getaffinity(0))"])
"""

# As a sandbox forbids it.
FORBIDDEN = """
import os
def forbidden(*_):
    raise PermissionError(1, "Operation not permitted")
os.sched_setaffinity = forbidden
"""

# As when a container is given other cores than those it began with.
GONE = """
import os
cores.STAY, allow, wide = 0.1, cores._allow, []
def given(wanted):
    if len(wanted) > 1:
        wide.append(wanted)
    if len(wide) == 2 and len(wanted) > 1:
        raise OSError(22, "Invalid argument")
    allow(wanted)
cores._allow = given
"""


@pytest.fixture
def sharing():
    """Runs it, and ends it."""
    started = []

    def run(before=""):
        script = SHARING.format(before=before)
        command, pipe = [sys.executable, "-c", script], subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        started.append(process)
        assert process.stderr.readline() == "shared\n"
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.communicate(timeout=PATIENCE)


def cores_of(process):
    """Those that each thread may run on."""
    return [frozenset(os.sched_getaffinity(int(one.name))) for one in Path(f"/proc/{process.pid}/task").iterdir()]


def on_one(process):
    """The core that all threads are on, if it is one."""
    found = set(cores_of(process))
    return found.pop() if len(found) == 1 and len(min(found)) == 1 else None


@pytest.mark.skipif(len(CORES) < 2, reason="there is nothing to choose from")
class TestWhereThereAreMore:
    def test_all_threads_share_one(self, sharing):
        process = sharing()
        assert until(lambda: on_one(process), PATIENCE)
        assert len(cores_of(process)) == 4

    def test_the_kernel_may_choose_anew(self, sharing):
        process = sharing("cores.STAY = cores.CHOICE = 0.1")
        for found in [True, False, True]:
            assert until(lambda: bool(on_one(process)) is found, PATIENCE)  # noqa: B023 - it is over at once

    def test_a_program_that_it_starts_may_run_on_all(self):
        command = [sys.executable, "-c", STARTING]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True)
        assert {*map(int, done.stdout.split())} == CORES

    def test_cores_that_are_not_ours_are_not_taken(self, sharing):
        ours = min(CORES)
        process = sharing(f"import os; os.sched_setaffinity(0, {{{ours}}})")
        assert frozenset({ours}) in cores_of(process)
        assert psutil.Process(process.pid).num_threads() == 3  # none that chooses

    def test_where_it_is_forbidden_it_serves_as_well(self, sharing):
        process = sharing(FORBIDDEN)
        assert until(lambda: psutil.Process(process.pid).num_threads() == 3, PATIENCE)
        out, _ = process.communicate(timeout=PATIENCE)
        assert "cores_not_chosen" in out
        assert process.returncode == 0

    def test_where_its_cores_are_gone_it_may_run_on_what_there_is(self, sharing):
        process = sharing(GONE)
        assert until(lambda: psutil.Process(process.pid).num_threads() == 3, PATIENCE)
        assert all(found >= CORES for found in cores_of(process))
        out, _ = process.communicate(timeout=PATIENCE)
        assert "cores_not_chosen" in out


@pytest.mark.parametrize("where", ["sys.platform = 'darwin'", "import os; os.environ['ONE_CORE'] = '0'"])
def test_elsewhere_than_on_linux_or_unwanted_nothing_happens(sharing, where):
    process = sharing(where)
    assert psutil.Process(process.pid).num_threads() == 3
