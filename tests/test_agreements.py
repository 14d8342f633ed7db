"""Whatever people, jobs, the gateway and time do, in any order: each answer and each row is what the contract says.

A state machine drives the whole API, on the real database, beside a world of plain Python (agreements/world.py). Every
run plays the same examples, by fixed seeds. For longer, with a new seed for each round, as long as there is time:

    AGREEMENTS_SECONDS=900 pytest tests/test_agreements.py

A failure names its seed. AGREEMENTS_SEED plays that round again, and looks for a smaller one that fails, for five
minutes at the most.
"""

import os
import random
import time
from collections import Counter
from decimal import Decimal

import pytest
from cachalot.api import cachalot_disabled
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.agreements.machine import BEGINNING, Agreements
from tests.agreements.terms import DAY, Service

from marketplace_accounts.models import User
from marketplace_accounts.testing import make_provider, make_session, make_user
from marketplace_catalog.testing import EVERY_DAY, make_service

FIRST = int(os.environ.get("AGREEMENTS_SEED", "1"))
ROUNDS = 1 if "AGREEMENTS_SEED" in os.environ else 15
SECONDS = float(os.environ.get("AGREEMENTS_SECONDS", "0"))
# One round is one new example, after the one in which nothing happens: Hypothesis makes others by varying the first.
ROUND = settings(
    max_examples=2,
    stateful_step_count=50,
    phases=[Phase.generate] + [Phase.shrink] * (ROUNDS == 1),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# What those of the fixed seeds come to, so that they go on saying something.
FACTS = {
    *(f"booking.{event}" for event in ("created", "confirmed", "completed", "cancelled", "rescheduled", "reminder")),
    *("payment.succeeded", "payment.failed", "refund.succeeded", "payout.paid"),
}
SERVICES = (
    Service("pia", Decimal("50.05"), "USD", "flexible", before=15, after=15),
    Service("pia", Decimal(1001), "JPY", "moderate", auto=True, minutes=45, interval=45),
    Service("pia", Decimal("12.345"), "KWD", "strict", minutes=90, notice=120),
    Service("pia", Decimal(0), "USD", "flexible", window=20),
    Service("paul", Decimal("0.01"), "USD", "moderate", minutes=240, opens=540, closes=1020),
    Service("paul", Decimal("99.99"), "USD", "strict", auto=True, after=60),
)


def wall(minutes):
    return f"{minutes // 60:02}:{minutes % 60:02}"


def offered(provider, s):
    """A service of the world, in the real system."""
    return make_service(
        provider,
        price=s.price,
        currency=s.currency,
        duration=s.minutes,
        availability={day: [wall(s.opens), wall(s.closes)] for day in EVERY_DAY},
        buffer_before=s.before,
        buffer_after=s.after,
        slot_interval=s.interval,
        minimum_notice=s.notice,
        booking_window=s.window,
        cancellation_policy=s.policy,
        auto_confirm=s.auto,
    )


@pytest.fixture
def machine(transactional_db, settings):
    """The machine, with people and services that stay from one example to the next."""
    quiet = {name: {"email": False, "in_app": True} for name in settings.NOTIFICATIONS["TYPES"]}
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"TYPES": quiet}
    there = {"GATEWAY": "tests.agreements.gateway.MoodyGateway", "MOCK_WEBHOOK_URL": ""}
    settings.BILLING = settings.BILLING | there
    people = {name: make_user() for name in ("ada", "bob")} | {name: make_provider() for name in ("pia", "paul")}
    people["staff"] = User.objects.create_user("staff@example.com", is_staff=True)
    for service in SERVICES:
        service.id = str(offered(people[service.provider], service).pk)

    class Here(Agreements):
        sessions = {
            name: (user.pk, make_session(user, expires_at=BEGINNING + 9999 * DAY)[0].pk)
            for name, user in people.items()
        }
        services = list(SERVICES)
        happened = Counter()

    return Here


def play(machine, number):
    """The round of this seed."""
    try:
        with cachalot_disabled(all_queries=True):  # not what this is about, and a third of the time
            run_state_machine_as_test(seed(number)(machine), settings=ROUND)
    except BaseException as error:
        error.add_note(f"AGREEMENTS_SEED={number}")
        raise


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_whatever_happens_all_is_as_agreed(machine):
    for number in range(FIRST, FIRST + ROUNDS):
        play(machine, number)
    assert ROUNDS == 1 or machine.happened.keys() >= FACTS
    over = time.monotonic() + SECONDS
    while time.monotonic() < over:
        play(machine, random.randrange(10**9))
