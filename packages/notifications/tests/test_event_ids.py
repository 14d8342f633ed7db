"""The ids of the stream's events."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from marketplace_kit import clock
from marketplace_notifications import event_ids

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
POSITIONS = st.integers(0, 2**63 - 1)


@given(POSITIONS, st.integers(1, 2**63 - 1), st.timedeltas(timedelta(0), event_ids.KEPT))
def test_it_comes_back_for_a_day(position, user_id, age):
    with clock.frozen(NOON + age):
        assert event_ids.decode(user_id, event_ids.encode(user_id, position, NOON)) == position


def test_it_is_forgotten_after_a_day():
    text = event_ids.encode(1, 7, NOON)
    with clock.frozen(NOON + timedelta(hours=24, seconds=1)):
        assert event_ids.decode(1, text) is None


@given(POSITIONS)
def test_it_is_one_users(position):
    with clock.frozen(NOON):
        assert event_ids.decode(2, event_ids.encode(1, position, NOON)) is None


@given(st.text())
def test_anything_else_is_none_of_ours(text):
    assert event_ids.decode(1, text) is None


def test_it_fits_into_a_header():
    assert event_ids.encode(1, 2**63 - 1, NOON).isascii()
    assert event_ids.encode("☃", 1, NOON).isprintable()
