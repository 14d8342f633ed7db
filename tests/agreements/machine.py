"""The state machine: what people, jobs, the gateway and time do to the real system, and to the world beside it."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.agreements import rows
from tests.agreements.caller import Answer, Caller
from tests.agreements.choices import (
    DEEDS,
    choose,
    deed,
    methods,
    numbers,
    reasons,
    sometimes,
    spans,
    starts,
    ticks,
    turns,
)
from tests.agreements.gateway import MoodyGateway
from tests.agreements.terms import DAY, EXPONENTS, POLICIES, Booking, Money, Payment, Refusal, Service, per_cent
from tests.agreements.world import World

from marketplace_billing import tasks as billing
from marketplace_billing.exceptions import StillPending
from marketplace_billing.reconciliation import report
from marketplace_booking import tasks as booking
from marketplace_kit import clock

BEGINNING = datetime(2027, 3, 1, 9, 47, 13, tzinfo=UTC)


class Agreements(RuleBasedStateMachine):
    """Each deed is done to both; its answer is compared, and then all rows."""

    sessions: dict[str, tuple[Any, Any]]  # name -> the keys of a user and his session: the same in all examples,
    services: list[Service]  # as are these
    happened: Counter[str]  # what was answered, over all examples

    def __init__(self) -> None:
        super().__init__()
        self.world = World(BEGINNING, self.services)
        self.names = {str(user): name for name, (user, _) in self.sessions.items()}
        self.api = Caller(self.sessions)
        self.time = ExitStack()
        self.come_to(BEGINNING)
        MoodyGateway.is_down = False

    def teardown(self) -> None:
        """In the end nothing is left open, and the system's own proof finds nothing."""
        try:
            if self.world.bookings:
                self.all_settles()
                assert report().differences == []
        finally:
            self.time.close()
            rows.wipe()

    # --- who, what, when ---

    def booking(self, number: int, fits: Callable[[Booking], Any]) -> Booking:
        """One that fits, mostly."""
        return choose(number, self.world.bookings.values(), fits)

    def person(self, of: Booking, turn: str, right: str) -> str:
        stranger = next(name for name in self.sessions if of.party(name) is None)
        who = {"customer": of.customer, "provider": of.provider, "staff": "staff", "stranger": stranger}
        return who[right if turn == "right" else turn]

    def at(self, when: tuple[int, int]) -> datetime:
        days, halves = when
        hour = self.world.now.replace(minute=0, second=0, microsecond=0)
        return hour + days * DAY + halves * timedelta(minutes=30)

    def answered(self, answer: Answer, refusal: Refusal, success: int) -> bool:
        """Whether it was done; and it was exactly if the world says so, or refused for the world's reason."""
        status, body = answer
        if refusal is None:
            assert status == success, body
            return True
        code = body["errors"][0]["code"] if status == 422 else body["code"]
        assert (status, code) == refusal, body
        self.happened[code] += 1
        return False

    # --- bookings ---

    @deed(
        6,
        who=st.sampled_from(("ada", "bob", "ada", "bob", "paul", "pia")),
        number=st.integers(0, 5),
        when=starts,
        notes=st.sampled_from(("",) * 9 + ("x" * 2001,)),
        twice=sometimes,
    )
    def book(self, who: str, number: int, when: tuple[int, int], notes: str, twice: bool) -> None:
        service, start = self.services[number], self.at(when)
        body = {"serviceId": service.id, "scheduledAt": clock.instant(start), "notes": notes}
        answer = self.api.post(who, "/bookings", body, twice=twice)
        refusal = (422, "too_long") if len(notes) > 2000 else self.world.book_refusal(who, service, start)
        if self.answered(answer, refusal, 201):
            self.world.book(answer[1]["id"], who, service, start)

    @deed(5, number=numbers, turn=turns)
    def confirm(self, number: int, turn: str) -> None:
        self.accept("confirm", number, turn)

    @deed(3, number=numbers, turn=turns)
    def complete(self, number: int, turn: str) -> None:
        self.accept("complete", number, turn)

    def accept(self, verb: str, number: int, turn: str) -> None:
        of = self.booking(number, lambda b: not self.world.move_refusal(b.provider, b, verb))
        who = self.person(of, turn, "provider")
        refusal = self.world.move_refusal(who, of, verb)
        if self.answered(self.api.post(who, f"/bookings/{of.id}/{verb}"), refusal, 200):
            getattr(self.world, verb)(who, of)

    @deed(2, number=numbers, turn=turns, reason=reasons)
    def cancel(self, number: int, turn: str, reason: str | None) -> None:
        of = self.booking(number, lambda b: b.is_open and b.active)
        self.call_off(of, self.person(of, turn, ("customer", "provider")[number % 2]), reason)

    def call_off(self, of: Booking, who: str, reason: str | None) -> None:
        """What the quote said beforehand is what is given back."""
        self.ask_quote(who, of)
        refusal = self.world.move_refusal(who, of, "cancel")
        body = {"reason": reason} if reason else None
        if self.answered(self.api.post(who, f"/bookings/{of.id}/cancel", body), refusal, 200):
            quoted, before = self.world.quote(who, of), list(self.world.refunds)
            self.world.cancel(of.party(who) or "", of, who, reason)
            assert quoted == sum((r.amount for r in self.world.refunds if r not in before), Decimal(0))

    def ask_quote(self, who: str, of: Booking) -> None:
        answer = self.api.call(who, "get", f"/payments/refund-quote?bookingId={of.id}")
        if self.answered(answer, None if of.party(who) else (404, "not_found"), 200):
            told = {"refundAmount": self.world.quote(who, of), "currency": of.currency, "policy": of.policy}
            assert answer[1] == told

    @deed(4, number=numbers, turn=turns, when=starts | st.none())
    def reschedule(self, number: int, turn: str, when: tuple[int, int] | None) -> None:
        """To another time, or (None) to the one that it has."""
        of = self.booking(number, lambda b: b.is_open and b.start > self.world.now)
        who = self.person(of, turn, ("customer", "provider")[number % 2])
        self.move(of, who, self.at(when) if when else of.start)

    def move(self, of: Booking, who: str, start: datetime) -> None:
        answer = self.api.post(who, f"/bookings/{of.id}/reschedule", {"scheduledAt": clock.instant(start)})
        if self.answered(answer, self.world.reschedule_refusal(who, of, start), 200):
            self.world.reschedule(who, of, start)

    # --- money ---

    @deed(6, number=numbers, turn=turns, method=methods, twice=sometimes)
    def pay(self, number: int, turn: str, method: str, twice: bool) -> None:
        of = self.booking(number, lambda b: b.amount and not b.active)
        who = self.person(of, turn, "customer")
        refusal = self.world.pay_refusal(who, of)
        status, body = self.api.post(who, "/payments", {"bookingId": of.id, "paymentMethod": method}, twice=twice)
        if refusal:
            self.answered((status, body), refusal, 201)
            return
        key = body["paymentId"] if status == 402 else body["id"]
        payment = self.world.pay(key, of, method, reached=not MoodyGateway.is_down)
        if payment.status == "failed":
            self.answered((status, body), (402, payment.failure or ""), 201)
        else:
            assert (status, body["status"], body["amount"]) == (201, payment.status, payment.amount)

    @deed(
        4,
        number=numbers,
        turn=turns,
        percent=st.sampled_from((None, 1, 33, 50, 100, 101)),
        bit=st.sampled_from((0, 0, 0, 0, 1)),
        reason=reasons,
        twice=sometimes,
    )
    def refund(self, number: int, turn: str, percent: int | None, bit: int, reason: str | None, twice: bool) -> None:
        """All that is left, or so many per cent of the amount, and a bit that no currency has."""
        if not self.world.payments:
            return
        of = choose(number, self.world.payments.values(), lambda p: p.is_paid and p.left)
        who, currency = self.person(of.booking, turn, "provider"), of.booking.currency
        amount = per_cent(of.amount, percent, currency) + bit * Decimal("0.00001") if percent else None
        if amount == 0:
            return
        refusal = self.world.refund_refusal(who, of, amount)
        body = {name: value for name, value in (("amount", amount), ("reason", reason)) if value is not None}
        answer = self.api.post(who, f"/payments/{of.id}/refunds", body or None, twice=twice)
        if not self.answered(answer, refusal, 201):
            return
        refund = self.world.claim(of, of.left if amount is None else amount, reason)
        refund.id = answer[1]["id"]
        self.world.send(refund, reached=not MoodyGateway.is_down)
        assert (answer[1]["status"], answer[1]["amount"]) == (refund.status, refund.amount)

    @deed(2, number=numbers)
    def pay_out(self, number: int) -> None:
        accounts = [(who, currency) for who in self.sessions for currency in EXPONENTS]
        who, currency = choose(number, accounts, lambda account: not self.world.payout_refusal(*account))
        answer = self.api.post(who, "/payments/payouts", {"currency": currency})
        if self.answered(answer, self.world.payout_refusal(who, currency), 201):
            assert self.world.pay_out(answer[1]["id"], who, currency) == answer[1]["amount"]

    # --- the gateway ---

    @deed(1)
    def the_gateway_falls_silent_or_speaks_again(self) -> None:
        MoodyGateway.is_down = not MoodyGateway.is_down

    @deed(3, number=numbers, nth=st.integers(0, 2), outcome=st.sampled_from(("succeeded", "failed")), event=numbers)
    def the_gateway_tells(self, number: int, nth: int, outcome: str, event: int) -> None:
        """A signed webhook about a payment, or one of its refunds: each `webhook-id` counts once."""
        if not self.world.payments:
            return
        of = choose(number, self.world.payments.values(), lambda p: p.is_awaited)
        moneys: list[Money] = [of, *of.refunds]
        about = moneys[: nth + 1][-1]
        if about.gateway.outcome is None or about.id is None:
            return  # it would tell of what it was never asked for
        kind, event_id = "payment" if about is of else "refund", f"{about.id}-{event % 2}"
        body = {
            "type": f"{kind}.{outcome}",
            "timestamp": clock.instant(self.world.now),
            "data": {"reference": about.id},
        }
        assert self.api.webhook(event_id, json.dumps(body).encode()) == 204
        about.gateway.settle(outcome)
        self.heard(event_id, about)

    def heard(self, event_id: str, about: Money) -> None:
        if event_id not in self.world.events:
            self.world.events.add(event_id)
            self.world.settled(about, about.gateway.outcome)

    # --- jobs ---

    def jobs(self) -> list[ProcrastinateJob]:
        return list(ProcrastinateJob.objects.filter(queue_name="billing").order_by("id"))

    @deed(
        8,
        which=st.sampled_from(("any", "any", "any", "lapse", "remind", "remind", "reconcile", "publish")),
        number=numbers,
        twice=sometimes,
    )
    def the_worker_works(self, which: str, number: int, twice: bool) -> None:
        """Any job of those that there are, early or late, or what each minute brings; once or twice."""
        for _ in range(1 + twice):
            if which == "any":
                self.run(number)
            else:
                getattr(self, which)()
            rows.check(self.world, self.names)  # a refund that it began is known by its id from here on

    def run(self, number: int) -> None:
        waiting = ProcrastinateJob.objects.filter(queue_name="billing").order_by("id")
        if jobs := list(waiting):
            self.finish(jobs[number % len(jobs)])

    def finish(self, job: ProcrastinateJob) -> None:
        reached = not MoodyGateway.is_down
        with suppress(StillPending):
            app.tasks[job.task_name].func(**job.args)
            ProcrastinateJob.objects.filter(pk=job.pk)._raw_delete(using="default")
        key = next(value for name, value in job.args.items() if name != "kind")
        about = next(money for money in self.world.moneys if money.id == key)
        if job.task_name.endswith(".tell"):
            about.gateway.settle()
            self.heard(f"msg_mock_{'ch' if isinstance(about, Payment) else 're'}_{key}", about)
        elif isinstance(about, Payment):
            self.world.look_up_charge(about, reached=reached)
        else:
            self.world.send(about, reached=reached)

    def lapse(self) -> None:
        booking.cancel_lapsed(0)
        self.world.lapse()

    def remind(self) -> None:
        booking.remind(0)
        self.world.remind()

    def reconcile(self) -> None:
        billing.reconcile(0)
        self.world.reconcile(reached=not MoodyGateway.is_down)

    def publish(self) -> None:
        for job in ProcrastinateJob.objects.filter(task_name="marketplace_notifications.publish").order_by("id"):
            app.tasks[job.task_name].func(**job.args)
            ProcrastinateJob.objects.filter(pk=job.pk)._raw_delete(using="default")

    # --- time ---

    def come_to(self, at: datetime) -> None:
        self.world.now = at
        self.api.tokens.clear()  # they live for 15 minutes
        self.time.close()
        self.time.enter_context(clock.frozen(at))

    @deed(3, by=spans)
    def time_passes(self, by: timedelta) -> None:
        self.come_to(self.world.now + by)

    @deed(
        5,
        number=numbers,
        tick=ticks,
        remind=st.booleans(),
        mover=st.sampled_from(("", "", "customer", "provider")),
        when=starts,
        caller=st.sampled_from(("", "", "customer")),
    )
    def an_edge_comes(
        self, number: int, tick: timedelta, remind: bool, mover: str, when: tuple[int, int], caller: str
    ) -> None:
        """The moment at which a policy, the reminder or a booking's start makes a difference, or just beside it; and
        what often comes then: its customer is reminded, it is moved, it is called off."""
        of = self.booking(number, lambda b: b.is_open and b.active and b.start > self.world.now)
        edges = [of.start - before + tick for before in (timedelta(0), DAY, *(u for u, _ in POLICIES[of.policy]))]
        self.come_to(max(self.world.now, choose(number // 7, edges, lambda edge: edge > self.world.now)))
        if remind:
            self.remind()
        if mover:
            self.move(of, self.person(of, mover, mover), self.at(when))
        if caller:
            self.call_off(of, of.customer, None)

    # --- looking ---

    @deed(2, who=st.sampled_from(("ada", "bob", "pia", "paul")), at=st.sampled_from(("lists", "slots")), number=numbers)
    def look(self, who: str, at: str, number: int) -> None:
        if at == "lists":
            self.look_at_lists(who, ("", "customer", "provider")[number % 3])
        else:
            self.look_for_slots(self.services[number % 6], number % 5)

    def look_at_lists(self, who: str, role: str) -> None:
        mine = [b for b in self.world.bookings.values() if b.party(who) and role in ("", b.party(who))]
        query = {"limit": 2} | ({"role": role} if role else {})
        listed = self.api.pages(who, "/bookings", query)
        shown = {b.id: (b.status, clock.instant(b.start)) for b in mine}
        assert {b["id"]: (b["status"], b["scheduledAt"]) for b in listed} == shown
        paid = self.api.pages(who, "/payments", query)
        assert {p["id"]: (p["status"], p["refundedAmount"]) for p in paid} == {
            p.id: (p.status, p.refunded) for b in mine for p in b.payments
        }
        assert (len(listed), len(paid)) == (len(mine), sum(len(b.payments) for b in mine))
        if who in ("pia", "paul"):
            _, body = self.api.call(who, "get", "/payments/balance")
            balance = {b["currency"]: (b["available"], b["pending"]) for b in body["items"]}
            assert balance == self.world.balance(who)

    def look_for_slots(self, service: Service, days: int) -> None:
        """What is listed is what can be booked."""
        begins = self.world.now + days * DAY
        span = {"from": clock.instant(begins), "to": clock.instant(begins + DAY)}
        _, body = self.api.call("ada", "get", f"/services/{service.id}/slots?{urlencode(span)}")
        hour = begins.replace(minute=0, second=0, microsecond=0)
        quarters = [hour + n * timedelta(minutes=15) for n in range(100)]
        free = [q for q in quarters if begins <= q < begins + DAY and not self.world.book_refusal("ada", service, q)]
        assert [slot["start"] for slot in body["items"]] == [clock.instant(start) for start in free]

    # --- all of it ---

    @rule(done=st.one_of(DEEDS))
    def happens(self, done: tuple[str, dict[str, Any]]) -> None:
        name, given = done
        if name == "nothing":
            return
        if not any(b.is_open and b.start > self.world.now for b in self.world.bookings.values()):
            self.book("ada", 0, (4, 1), "", twice=False)
            self.book("bob", 1, (8, 3), "", twice=False)
            self.pay(2, "right", "mock_success", twice=False)
        getattr(self, name)(**given)
        rows.check(self.world, self.names)

    def all_settles(self) -> None:
        """Two minutes later, the gateway within reach, every job having run: nothing is pending."""
        MoodyGateway.is_down = False
        self.come_to(self.world.now + timedelta(minutes=2))
        for job in (self.lapse, self.remind, *[self.reconcile] * 3):
            job()
            rows.check(self.world, self.names)
            for waiting in ProcrastinateJob.objects.filter(queue_name="billing").order_by("id"):
                self.finish(waiting)
        rows.check(self.world, self.names)
        assert "pending" not in {money.status for money in self.world.moneys}
        self.happened.update(kind for _, kind, _ in self.world.told.elements())
