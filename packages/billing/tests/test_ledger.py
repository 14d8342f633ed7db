"""The ledger: every cent on one side stands on the other, whatever is paid, refunded, completed and paid out."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace_billing import actions, events, ledger, payouts
from marketplace_billing.exceptions import NothingToPayOut
from marketplace_billing.lifecycle import Account, fee_given_back, share_left
from marketplace_billing.models import Entry, Payment, Payout, Posting
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.exceptions import InvalidTransition, TooLate
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.money import EXPONENTS, is_exact, percentage, unit
from marketplace_kit.testing import run_jobs

pytestmark = pytest.mark.django_db
CURRENCIES = ["USD", "JPY", "KWD", "CLF"]


def balance(provider):
    """Available and pending, of a provider with one currency at the most."""
    found = ledger.balances(provider.pk)
    return tuple(f"{amount}" for b in found for amount in (b.available, b.pending))


def complete(provider, booking):
    bookings.confirm_booking(provider, booking)
    with clock.frozen(booking.scheduled_at):
        bookings.complete_booking(provider, booking)


def of(account):
    return sum(Entry.objects.filter(account=account).values_list("amount", flat=True))


# --- what turns into what ---


def test_a_share_is_pending_until_the_booking_is_completed(provider, customer):
    payment = make_payment(customer, make_service(provider))
    assert balance(provider) == ("0.00", "45.00")

    complete(provider, payment.booking)

    assert balance(provider) == ("45.00", "0.00")
    assert (of(Account.GATEWAY), of(Account.PLATFORM_FEE)) == (50, -5)


def test_what_is_paid_after_completion_is_available_at_once(provider, customer):
    booking = make_booking(customer, make_service(provider))
    complete(provider, booking)
    assert balance(provider) == ()

    actions.pay(customer, booking, "mock_success")

    assert balance(provider) == ("45.00", "0.00")


@pytest.mark.parametrize("method", ["mock_declined", "mock_pending", "mock_timeout"])
def test_what_was_not_taken_is_not_in_the_ledger(provider, customer, method):
    payment = actions.start_payment(customer, make_booking(customer, make_service(provider)), method)
    actions.settle_payment(payment.pk)

    assert not Posting.objects.exists()


def test_refunds_take_share_and_fee_back_in_proportion(provider, customer):
    payment = make_payment(customer, make_service(provider, price=Decimal("10.05")))
    assert (payment.fee_amount, balance(provider)) == (Decimal("1.01"), ("0.00", "9.04"))

    seen = []
    for amount in ("0.04", "0.04", "5.00", "4.97"):
        actions.refund(provider, payment, Decimal(amount), None)
        seen.append((-of(Account.PLATFORM_FEE), balance(provider)[1]))

    # Of 10.05: 1.01 * 0.04 / 10.05 is 0.004, of 0.08 0.008, of 5.08 0.51: rounded is the sum, not each.
    kept = [(f"{fee}", share) for fee, share in seen]
    assert kept == [("1.01", "9.00"), ("1.00", "8.97"), ("0.50", "4.47"), ("0.00", "0.00")]
    payment.refresh_from_db()
    assert payment.fee_amount == Decimal("1.01")


def test_a_refund_after_a_payout_goes_below_zero(provider, customer):
    payment = make_payment(customer, make_service(provider))
    complete(provider, payment.booking)
    payouts.pay_out(provider, "USD")

    actions.refund(provider, payment, Decimal("20.00"), None)

    assert balance(provider) == ("-18.00", "0.00")
    with pytest.raises(NothingToPayOut):
        payouts.pay_out(provider, "USD")


def test_what_a_provider_keeps_of_a_cancelled_booking_is_his(provider, customer):
    payment = make_payment(customer, make_service(provider), a_start(timedelta(hours=3)))

    bookings.cancel_booking(customer, payment.booking)
    assert balance(provider) == ("22.50", "22.50")  # the refund is on its way
    run_jobs()

    assert balance(provider) == ("22.50", "0.00")


def test_of_a_cancelled_booking_whose_refund_failed_nothing_is_his(provider, customer):
    payment = make_payment(customer, make_service(provider))

    bookings.cancel_booking(customer, payment.booking, "mock_failure")
    run_jobs()
    assert balance(provider) == ("0.00", "45.00")
    actions.refund(provider, payment, None, "By another way.")

    assert balance(provider) == ("0.00", "0.00")


@pytest.mark.parametrize(
    ("reason", "meanwhile", "after"),
    [("mock_pending", ("27.00", "18.00"), ("27.00", "0.00")), ("mock_pending_failure",) + (("27.00", "18.00"),) * 2],
)
def test_a_refund_on_its_way_holds_its_part_back(provider, customer, reason, meanwhile, after):
    payment = make_payment(customer, make_service(provider))
    refund = actions.refund(provider, payment, Decimal("20.00"), reason)

    complete(provider, payment.booking)
    assert balance(provider) == meanwhile
    gateway = actions.gateway()
    type_ = "refund.succeeded" if reason == "mock_pending" else "refund.failed"
    events.receive_event("e", gateway.event({"type": type_, "data": {"reference": str(refund.pk)}}))

    assert balance(provider) == (after if reason == "mock_pending" else ("45.00", "0.00"))


def test_currencies_do_not_mix(provider, customer):
    for currency, price in (("USD", "50.00"), ("JPY", "3000"), ("KWD", "1.250")):
        service = make_service(provider, currency=currency, price=Decimal(price))
        make_payment(customer, service, a_start(timedelta(days=2, hours=len(Payment.objects.all()) * 3)))

    assert [(b.currency, f"{b.pending}") for b in ledger.balances(provider.pk)] == [
        ("JPY", "2700"),
        ("KWD", "1.125"),
        ("USD", "45.00"),
    ]


# --- what the database refuses ---


def a_posting(provider):
    payout = Payout.objects.create(provider=provider, amount=5, currency="USD")
    return Posting.objects.create(kind="payout", payout=payout)


def write(posting, *entries):
    Entry.objects.bulk_create(
        Entry(posting=posting, account=account, owner_id=owner, currency=currency, amount=amount)
        for account, owner, currency, amount in entries
    )


def commit():
    """What a COMMIT looks at."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


@pytest.mark.parametrize(
    "entries",
    [
        [("gateway", 5, "USD")],
        [("gateway", 5, "USD"), ("paid_out", -4, "USD")],
        [("gateway", 5, "USD"), ("paid_out", -5, "EUR")],
        [("gateway", 5, "USD"), ("paid_out", -5, "USD"), ("gateway", Decimal("0.001"), "EUR")],
    ],
)
def test_what_does_not_sum_to_zero_is_not_committed(provider, entries):
    with pytest.raises(IntegrityError, match="do not sum to zero"), transaction.atomic():
        write(a_posting(provider), *((account, None, currency, amount) for account, amount, currency in entries))
        commit()


def test_control_what_does_is(provider):
    write(a_posting(provider), ("provider_available", provider.pk, "USD", 5), ("paid_out", None, "USD", -5))
    commit()


@pytest.mark.parametrize(
    "entry",
    [
        ("gateway", "owner", "USD", 5),
        ("provider_pending", None, "USD", 5),
        ("till", None, "USD", 5),
        ("gateway", None, "USD", 0),
    ],
)
def test_entries_make_sense(provider, entry):
    account, owner, currency, amount = entry

    with pytest.raises(IntegrityError), transaction.atomic():
        write(a_posting(provider), (account, provider.pk if owner else None, currency, amount))


@pytest.mark.parametrize("model", [Posting, Entry, Payout])
@pytest.mark.parametrize("change", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_nothing_is_changed_or_taken_away(provider, customer, model, change):
    payment = make_payment(customer, make_service(provider))
    complete(provider, payment.booking)
    payouts.pay_out(provider, "USD")

    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change.format(model._meta.db_table))


def test_nothing_is_posted_twice(provider, customer):
    payment = make_payment(customer, make_service(provider))
    refund = actions.refund(provider, payment, Decimal("1.00"), None)

    for post in (lambda: ledger.post_payment(payment), lambda: ledger.post_refund(refund)):
        with pytest.raises(IntegrityError), transaction.atomic():
            post()
    with pytest.raises(IntegrityError, match="says_of_what"), transaction.atomic():
        Posting.objects.create(kind="refund", payment=payment)


# --- exactness, in any currency ---


@st.composite
def payments(draw):
    """A currency, an amount, a fee, and refunds, at the most all of it."""
    currency = draw(st.sampled_from(sorted(EXPONENTS)))
    units = draw(st.integers(1, 99_999_999_999) | st.integers(1, 50))
    fee = draw(st.decimals(0, 100, places=3))
    cuts = sorted(draw(st.sets(st.integers(1, units), max_size=6)))
    parts = [b - a for a, b in zip([0, *cuts], cuts, strict=False)]
    amount = units * unit(currency)
    return currency, amount, percentage(amount, fee, currency), [part * unit(currency) for part in parts]


@given(payments())
def test_fee_and_share_are_exact_however_it_is_refunded(case):
    currency, amount, fee, refunds = case
    so_far, share = Decimal(0), share_left(fee, amount, Decimal(0), currency)
    assert share == amount - fee

    for part in refunds:
        before, so_far = so_far, so_far + part
        fee_back = fee_given_back(fee, amount, so_far, currency) - fee_given_back(fee, amount, before, currency)
        taken = share_left(fee, amount, before, currency) - share_left(fee, amount, so_far, currency)
        assert 0 <= fee_back <= part
        assert fee_back + taken == part
        assert is_exact(fee_back, currency)
    whole = fee_given_back(fee, amount, amount, currency)
    assert (whole, share_left(fee, amount, amount, currency)) == (fee, 0)


@given(payments(), st.randoms(use_true_random=False))
def test_postings_sum_to_zero_and_leave_nothing(case, random):
    currency, amount, fee, refunds = case
    lines = ledger.lines_of_payment(amount, fee, 1)
    so_far, pending = Decimal(0), amount - fee
    for part in refunds:
        share = share_left(fee, amount, so_far, currency) - share_left(fee, amount, so_far + part, currency)
        so_far += part
        from_pending = min(share, pending)
        posted = ledger.lines_of_refund(part, part - share, from_pending, 1)
        assert sum(line.amount for line in posted) == 0
        lines += posted
        pending -= from_pending
        if random.random() < 0.3 and pending:
            lines += ledger.lines_of_release(pending, 1)
            pending = Decimal(0)

    sums = {a: sum(line.amount for line in lines if line.account is a) for a in Account}
    assert sum(sums.values()) == 0
    assert sums[Account.GATEWAY] == amount - so_far
    owed = -sums[Account.PROVIDER_PENDING] - sums[Account.PROVIDER_AVAILABLE]
    assert owed == share_left(fee, amount, so_far, currency) >= 0


STEPS = ("refund", "fail", "complete", "cancel", "payout")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    currency=st.sampled_from(CURRENCIES),
    units=st.integers(1, 999_999),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 100)), max_size=8),
)
def test_whatever_happens_the_books_agree(provider, customer, currency, units, steps):
    """Through the actions, on the database: the ledger is what payments, refunds and payouts say."""
    example = transaction.savepoint_create()  # no atomic block: the mock's own must be the outermost
    price = units * unit(currency)
    payment = make_payment(customer, make_service(provider, currency=currency, price=price))
    for step, percent in steps:
        with clock.frozen(payment.booking.scheduled_at - timedelta(hours=1)):
            play(step, provider, customer, payment, percent)
        run_jobs()
    payment.refresh_from_db()
    commit()
    paid_out = sum(Payout.objects.values_list("amount", flat=True))
    assert of(Account.GATEWAY) == payment.amount - payment.refunded_amount
    assert -of(Account.PAID_OUT) == paid_out
    back = fee_given_back(payment.fee_amount, payment.amount, payment.refunded_amount, currency)
    assert -of(Account.PLATFORM_FEE) == payment.fee_amount - back
    assert payment.claimed_amount == payment.refunded_amount <= payment.amount
    transaction.savepoint_rollback(example)


def play(step, provider, customer, payment, percent):
    booking = payment.booking
    booking.refresh_from_db()
    with suppress(actions.RefundExceedsPayment, NothingToPayOut, TooLate, InvalidTransition):
        if step in ("refund", "fail"):
            amount = percentage(payment.amount, Decimal(percent), payment.currency)
            actions.refund(provider, payment, amount or None, "mock_failure" if step == "fail" else None)
        elif step == "complete":
            complete(provider, booking)
        elif step == "cancel":
            bookings.cancel_booking(customer, booking)
        else:
            payouts.pay_out(provider, payment.currency)
