"""What `up` does with a process that dies, and dies again: seconds pass as the test says."""

from pathlib import Path

import pytest

from marketplace.running import supervisor
from marketplace.running.supervisor import LONGEST_PAUSE, WELL_AFTER, Watched
from marketplace_embedded.exceptions import EmbeddedError

TICK = 0.25  # seconds; what all pauses are multiples of


class Unit:
    """Dies as often as it is told to."""

    name = "unit"

    def __init__(self, log: Path) -> None:
        self.log = log
        self.alive = True
        self.cannot_start = False
        self.launched: list[float] = []

    def launch(self) -> None:
        self.launched.append(supervisor.time.monotonic())
        if self.cannot_start:
            raise EmbeddedError("Its port is taken.")
        self.alive = True

    def ask(self) -> None: ...

    def stop(self) -> None: ...


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(supervisor, "time", clock)
    return clock


@pytest.fixture
def unit(tmp_path):
    (tmp_path / "unit.log").write_text("why it ended\n")
    return Unit(tmp_path / "unit.log")


@pytest.fixture
def watch(unit, clock):
    """Let so many seconds pass, looking all the time: what was said."""
    watched, said = Watched(unit), []

    def pass_(seconds):
        for _ in range(int(seconds / TICK)):
            clock.now += TICK
            watched.look(said.append)
        return said

    return pass_


def pauses(unit, watch, deaths):
    """Seconds from each death until it was started again."""
    found = []
    for _ in range(deaths):
        unit.alive, count = False, len(unit.launched)
        watch(TICK)  # it is noticed
        noticed = supervisor.time.monotonic()
        while len(unit.launched) == count:
            watch(TICK)
        found.append(unit.launched[-1] - noticed)
    return found


def test_it_is_started_again_after_a_pause_that_grows_to_an_end(unit, watch):
    assert pauses(unit, watch, 8) == [0.25, 0.5, 1, 2, 4, 8, LONGEST_PAUSE, LONGEST_PAUSE]


def test_who_lived_for_a_while_is_started_again_at_once(unit, watch):
    pauses(unit, watch, 5)
    watch(WELL_AFTER + 1)

    assert pauses(unit, watch, 2) == [0.25, 0.5]


def test_who_keeps_dying_has_the_end_of_his_log_shown(unit, watch):
    pauses(unit, watch, 2)
    assert not any("why it ended" in line for line in watch(TICK))

    pauses(unit, watch, 1)
    assert any("why it ended" in line for line in watch(TICK))


def test_who_cannot_be_started_is_tried_again_and_it_is_said_why(unit, watch):
    unit.alive, unit.cannot_start = False, True
    said = watch(5)
    assert "Its port is taken." in said
    assert len(unit.launched) > 2

    unit.cannot_start = False
    watch(LONGEST_PAUSE)
    assert unit.alive


def test_who_lives_is_left_alone(unit, watch):
    assert watch(60) == []
    assert unit.launched == []
