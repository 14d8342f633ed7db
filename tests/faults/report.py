"""What a soak came to, as tables for docs/reliability.md."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

from tests.load.tables import markdown

from .parts import PARTS
from .soak import Soak

MIB = 2**20


def report(soak: Soak, found: Sequence[str], counted: Mapping[str, int], head: str) -> str:
    parts = [head, _requests(soak), _recoveries(soak), _compared(counted, found)]
    parts += [_held(soak)] if soak.held else []
    return "\n\n".join(parts)


def _requests(soak: Soak) -> str:
    diary = soak.diary
    by_status = ", ".join(f"{status}: {count:,}" for status, count in sorted(diary.answers.items()))
    silent = ", ".join(f"{kind}: {count:,}" for kind, count in diary.silences.most_common()) or "none"
    return markdown(
        ["requests", ""],
        [
            ["people, each with a stream", str(len(soak.people))],
            ["requests", f"{diary.requests:,}"],
            ["answers, by status", by_status],
            ["requests without an answer", silent],
            ["sent again", f"{diary.repeated:,}"],
            ["of these answered from what was kept under the key", f"{diary.replayed:,}"],
            ["streams opened anew", f"{sum(max(0, p.subscriber.openings - 1) for p in soak.people):,}"],
            ["all settled after", f"{soak.settled_after:.0f} s"],
        ],
    )


def _recoveries(soak: Soak) -> str:
    """By part and manner. Where two were hit at once, both count what it took."""
    took: dict[tuple[str, str], list[float]] = defaultdict(list)
    for blow, seconds in soak.saboteur.recoveries:
        for part in blow.parts:
            took[part, blow.manner].append(seconds)
    manners = ("kill", "stop", "freeze")
    rows = [[part, *(_pair(took[part, manner]) for manner in manners)] for part in PARTS]
    return markdown(["hit: times, seconds until all was well again (median / longest)", *manners], rows)


def _pair(seconds: Sequence[float]) -> str:
    return f"{len(seconds)} x, {median(seconds):.1f} / {max(seconds):.1f}" if seconds else "none"


def _compared(counted: Mapping[str, int], found: Sequence[str]) -> str:
    rows = [[name, f"{count:,}"] for name, count in counted.items()]
    return markdown(["compared", ""], [*rows, ["**found wrong**", f"**{len(found)}**"]])


def _held(soak: Soak) -> str:
    """Of the processes that lived through the quiet time."""
    memory = [{process: size / MIB for process, size in one.items()} for one in soak.held["memory"]]
    lasting = sorted(memory[0].keys() & memory[-1].keys())
    rows = [[kind, _grown(memory, (kind, pid)), _grown(soak.held["files"], (kind, pid))] for kind, pid in lasting]
    return markdown(["process, without blows: warm → half-way → at the end", "MiB of memory", "open files"], rows)


def _grown(series: Sequence[Mapping[tuple[str, int], float]], process: tuple[str, int]) -> str:
    return " → ".join(f"{one.get(process, 0):.0f}" for one in series)
