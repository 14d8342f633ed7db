"""Becomes the program named on its command line, which then dies with its parent.

Run as a file of its own, `python -I -S launcher.py '{"parent": 1, "signal": 15}' program arguments…`, because what is
done here must happen between fork and exec, where a process that has threads may not run Python.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAP_SETPCAP = 8
CAPABILITY_VERSION_3 = 0x20080522
CANNOT_RUN = 126

libc = ctypes.CDLL(None, use_errno=True)


class Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def permitted_capabilities() -> int:
    header, sets = Header(CAPABILITY_VERSION_3, 0), (Sets * 2)()
    check(libc.capget(ctypes.byref(header), sets))
    return int(sets[0].permitted)


def keep_capability(capability: int) -> None:
    """Hold this one capability, and no other, across the exec that follows."""
    header, sets = Header(CAPABILITY_VERSION_3, 0), (Sets * 2)()
    sets[0] = Sets(1 << capability, 1 << capability, 1 << capability)
    check(libc.capset(ctypes.byref(header), sets))
    check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0))


def become(uid: int, gid: int, *, search: bool) -> None:
    """Stop being root; with `search`, still pass through folders that only root may enter.

    CAP_DAC_READ_SEARCH is enough for that; containers often hold only the wider CAP_DAC_OVERRIDE.
    """
    held = permitted_capabilities()
    usable = [capability for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if held & (1 << capability)]
    keeps = search and bool(usable)
    check(libc.prctl(PR_SET_KEEPCAPS, int(keeps), 0, 0, 0))
    if keeps and held & (1 << CAP_SETPCAP):
        # Else access(2), by which initdb looks whether its programs are there, leaves the capability out of account.
        check(libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if keeps:
        keep_capability(usable[0])


def main(options: dict[str, Any], command: list[str]) -> None:
    if options.get("uid") is not None:
        become(options["uid"], options["gid"], search=options["search"])
    # Only now: the kernel forgets the wish when a process changes its user.
    check(libc.prctl(PR_SET_PDEATHSIG, int(options["signal"]), 0, 0, 0))
    if os.getppid() != options["parent"]:
        sys.exit(CANNOT_RUN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # an owner that ignores them would pass that on
        signal.signal(number, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606 - no shell is what we want


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]), sys.argv[2:])
    except OSError as error:
        sys.stderr.write(f"cannot run {sys.argv[2]}: {error}\n")
        sys.exit(CANNOT_RUN)
