"""Breaks one part after the other, or two at once, as a seed has it, and waits each time until all is well again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from time import monotonic

from marketplace.running.system import System

from .parts import MANNERS, PARTS, pause, recovered_after


@dataclass(frozen=True)
class Blow:
    """What is done to which parts, all at once, so many seconds after all was well."""

    parts: Sequence[str]
    manner: str
    after: float

    def __str__(self) -> str:
        return f"{self.manner} {' and '.join(self.parts)}"


# What they leave is taken up when they were silent for a while: a worker's jobs, a payment's lease.
LEAVE_SOMETHING = ("worker", "api", "one of the api")


def each_once(seed: int) -> Iterator[Blow]:
    """Each part is killed once, and those first after which something must be waited for."""
    chance = Random(seed)
    names = [name for name in PARTS if name not in LEAVE_SOMETHING]
    chance.shuffle(names)
    for name in (*LEAVE_SOMETHING, *names):
        yield Blow([name], "kill", chance.uniform(0.2, 1.0))


def on_and_on(seed: int) -> Iterator[Blow]:
    """Each part in each manner, in an order of chance; then again. One blow in four hits a second part, too."""
    chance = Random(seed)
    while True:
        blows = [(part, manner) for part in PARTS for manner in MANNERS]
        chance.shuffle(blows)
        for part, manner in blows:
            others = [other for other in PARTS if other != part]
            second = [chance.choice(others)] if chance.random() < 0.25 else []
            yield Blow([part, *second], manner, chance.uniform(1.0, 6.0))


@dataclass
class Saboteur:
    """Carries blows out, one after the other, until the time is over."""

    system: System
    say: Callable[[str], None]
    recoveries: list[tuple[Blow, float]] = field(default_factory=list)
    stuck: list[Blow] = field(default_factory=list)

    def work(self, blows: Iterator[Blow], seconds: float) -> None:
        began = monotonic()
        for blow in blows:
            pause(blow.after)
            if monotonic() - began > seconds:
                return
            self._carry_out(blow, monotonic() - began)

    def _carry_out(self, blow: Blow, at: float) -> None:
        dies = blow.manner != "freeze"
        before = [process for name in blow.parts if dies for process in PARTS[name].find(self.system)[:1]]
        for name in blow.parts:
            MANNERS[blow.manner](self.system, PARTS[name])
        took = recovered_after(self.system, blow.parts, before)
        told = "never recovered" if took is None else f"all is well {took:.1f} s later"
        self.say(f"{at:6.1f} s: {blow}; {told}")
        if took is None:
            self.stuck.append(blow)
        else:
            self.recoveries.append((blow, took))
