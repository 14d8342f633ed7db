"""What may happen in `test_agreements.py`, how often, and with what."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from tests.agreements.terms import DAY, HOUR

numbers = st.integers(0, 999)
reasons = st.sampled_from((None, "It rains.", "mock_pending", "mock_pending_failure", "mock_timeout", "mock_failure"))
# Whose turn it is: that of him who may, or whoever else.
turns = st.sampled_from(("right",) * 12 + ("customer", "provider", "staff", "stranger"))
# Days and half hours from now: near ones, so that they meet, and the edges of notice, policies and window.
starts = st.tuples(st.sampled_from((0, 1, 3, 4, 8, 8, 20, 60)), st.integers(1, 8))
spans = st.sampled_from((timedelta(seconds=21), timedelta(minutes=30), timedelta(minutes=30), 3 * HOUR, DAY))
ticks = st.sampled_from((timedelta(0), timedelta(0), timedelta(microseconds=1), -timedelta(seconds=1)))
methods = st.sampled_from(
    ("mock_success",) * 5
    + ("mock_pending", "mock_pending_failure", "mock_timeout", "mock_declined", "mock_insufficient_funds")
)
sometimes = st.integers(0, 4).map(lambda n: n == 4)
# One for each method that does something, as often as it is to happen. One rule plays them all: of many rules
# Hypothesis leaves most out of each example, and what is to be found here takes a chain of many different ones.
DEEDS: list[st.SearchStrategy[tuple[str, dict[str, Any]]]] = [st.just(("nothing", {}))]


def deed[F: Callable[..., None]](often: int, **given: st.SearchStrategy[Any]) -> Callable[[F], F]:
    def mark(method: F) -> F:
        DEEDS.extend([st.tuples(st.just(method.__name__), st.fixed_dictionaries(given))] * often)
        return method

    return mark


def choose[T](number: int, among: Iterable[T], fits: Callable[[T], Any]) -> T:
    """One that fits where there is one, nine times of ten."""
    everything = list(among)
    fitting = [one for one in everything if fits(one)] if number % 10 else []
    some = fitting or everything
    return some[number % len(some)]
