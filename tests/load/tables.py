"""What the benchmarks have in common: percentiles, tables, the machine, and where it all is written."""

import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from math import ceil
from pathlib import Path

import psutil
from django.db import connection


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * share) - 1)]


def shown(value: float) -> str:
    """Milliseconds, or another number, with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """What the figures depend on."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (postgres,) = cursor.fetchone()
        cursor.execute("SELECT pg_size_bytes(current_setting('shared_buffers')) / 1048576")
        (buffers,) = cursor.fetchone()
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB of memory; PostgreSQL {postgres.split()[0]} with "
        f"{buffers} MiB of shared buffers; Python {platform.python_version()}, Django {version('django')}, "
        f"django-ninja {version('django-ninja')}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def write(document: Path, name: str, text: str, *, command: str = "") -> None:
    """Put `text` between the markers of this name, made by `command`: by itself the benchmark of that name."""
    begin = f"<!-- {name}: made by `python -m {command or f'tests.load {name}'}` -->"
    end = f"<!-- /{name} -->"
    before, found, rest = document.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"{document} has no place for the figures of {name}.")
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
