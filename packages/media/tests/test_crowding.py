"""Who comes when too many are at it already."""

import pytest

from marketplace_kit.exceptions import ServiceUnavailable
from marketplace_media import crowding
from marketplace_media.crowding import AtOnce


def test_so_many_have_a_turn_and_whoever_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowding, "PATIENCE", 0.01)
    crowd = AtOnce(2)
    with crowd.turn():
        with crowd.turn(), pytest.raises(ServiceUnavailable), crowd.turn():
            pass
        with crowd.turn():
            pass


def test_who_fails_gives_the_turn_back() -> None:
    crowd = AtOnce(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), crowd.turn():
            raise ZeroDivisionError
