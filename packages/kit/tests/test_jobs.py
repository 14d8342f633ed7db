"""What jobs are made of."""

import pytest
from django.db import OperationalError

from marketplace_kit.jobs import each


def test_one_that_fails_stops_no_other():
    done = []

    def run(key):
        if key % 2:
            raise ValueError(key)
        done.append(key)

    with pytest.raises(ExceptionGroup) as failed:
        each(range(6), run)
    assert done == [0, 2, 4]
    assert [(error.args, error.__notes__) for error in failed.value.exceptions] == [
        ((key,), [f"for {key}"]) for key in (1, 3, 5)
    ]
    each([], run)


def test_without_a_database_nobody_goes_on():
    done = []

    def run(key):
        done.append(key)
        raise OperationalError

    with pytest.raises(OperationalError):
        each(range(3), run)
    assert done == [0]
