"""Who uses the system meanwhile: customers and providers, each of whom does one thing after the other, by chance."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Event, Thread
from typing import Any

import httpx
from PIL import Image
from tests.load.subscribers import Subscriber

from .caller import Answer, Caller, GaveUp
from .diary import Diary

PASSWORD = "correct-horse-battery"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MOST_FILES = 10  # of a service
PAUSES = (0.02, 0.3)  # seconds between two things that one person does


class Person:
    """One thread, one diary, one stream."""

    role = ""

    def __init__(self, url: str, seed: str) -> None:
        self.url = url
        self.diary = Diary()
        self.caller = Caller(url, self.diary)
        self.chance = Random(seed)
        self.subscriber = Subscriber("", "")
        self.name = f"{self.role}-{seed}"
        self.thread: Thread | None = None
        self.done = 0

    def register(self) -> None:
        self._join(self.caller, self.name)
        self.subscriber.token = self.caller.token

    def _join(self, caller: Caller, name: str) -> None:
        """There is no key for it: who may have been registered is told that his address is taken, and signs in."""
        body = {"email": f"{name}@example.com", "password": PASSWORD}
        profile = {"firstName": self.role.capitalize(), "lastName": "Soak"}
        answer = caller.post("/auth/register", {201, 409}, {**body, "role": self.role, "profile": profile})
        if answer.status == 409 and not answer.in_doubt:
            self.diary.wrong.append(f"{name} can't register: {answer.body}")
        caller.credentials = body
        caller.sign_in()
        self.diary.users[caller.get("/users/me")["id"]] = body["email"]

    def bring_somebody(self) -> None:
        guest = Caller(self.url, self.diary)
        self._join(guest, f"{self.name}-{len(self.diary.users)}")
        guest.close()

    def live(self, stop: Event) -> None:
        """Do things until told to stop. What fails is in the diary."""
        things, weights = zip(*self.things().items(), strict=True)
        while not stop.is_set():
            try:
                self.chance.choices(things, weights)[0]()
                self.done += 1
            except GaveUp:
                pass
            except Exception as error:
                self.diary.wrong.append(f"{self.name}: {error!r}")
                raise
            self.subscriber.token = self.caller.token
            stop.wait(self.chance.uniform(*PAUSES))

    def things(self) -> dict[Callable[[], None], float]:
        raise NotImplementedError

    def move(self, booking: str, verb: str, event: str, body: Any = None) -> Answer:
        """Confirm or cancel: it has no key, so a second try may meet what the first one did."""
        answer = self.caller.post(f"/bookings/{booking}/{verb}", {200, 409}, body)
        if answer.status == 200:
            self.diary.moves[booking, event] += 1
        elif answer.in_doubt:
            self.diary.perhaps.add((booking, event))
        return answer

    def read_inbox(self) -> None:
        unread = self.caller.get("/notifications", unread="true", limit="5")["items"]
        for told in unread[:2]:
            self.caller.post(f"/notifications/{told['id']}/read", {200})
            self.diary.read.add(told["id"])


class Provider(Person):
    """Offers services, answers bookings, gives money back, and changes what he offers."""

    role = "provider"

    def offer(self, count: int) -> None:
        self.services = [self._offered(number) for number in range(count)]

    def _offered(self, number: int) -> str:
        service = {
            "title": f"{self.name} {number}",
            "description": "Every room, windows included.",
            "category": "home_services",
            "price": 40 + number,
            "currency": "USD",
            "duration": 30,
            "timezone": "Europe/Berlin",
            "availability": {day: ["00:00", "24:00"] for day in DAYS},
            "bufferAfter": 15,
        }
        made: str = self.caller.post("/services", {201}, service).body["id"]
        self.diary.titles[made] = str(service["title"])
        return made

    def things(self) -> dict[Callable[[], None], float]:
        return {
            self.confirm: 6,
            self.give_back: 2,
            self.retitle: 2,
            self.cancel: 1,
            self.upload: 1,
            self.read_inbox: 2,
            self.caller.sign_in: 0.3,
        }

    def confirm(self) -> None:
        for booking in self._bookings("pending")[:3]:
            self.move(booking["id"], "confirm", "confirmed")

    def cancel(self) -> None:
        for booking in self._bookings("pending", "confirmed")[:1]:
            self.move(booking["id"], "cancel", "cancelled", {"reason": "Ill."})

    def _bookings(self, *statuses: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.caller.get("/bookings", role="provider", status=list(statuses))["items"]
        self.chance.shuffle(found)
        return found

    def give_back(self) -> None:
        paid = self.caller.get("/payments", role="provider", status="succeeded")["items"]
        if paid:
            payment = self.chance.choice(paid)["id"]
            answer, _ = self.caller.post_once(f"/payments/{payment}/refunds", {201, 409}, {"amount": 1.5})
            if answer.status == 201:
                self.diary.refunds[answer.body["id"]] = payment

    def retitle(self) -> None:
        """And whoever reads it afterwards reads that."""
        service, title = self.chance.choice(self.services), f"{self.name} {self.chance.random()}"
        self.caller.ask("PATCH", f"/services/{service}", {200}, json={"title": title})
        self.diary.titles[service] = title
        token, self.caller.token = self.caller.token, ""  # anybody: signed in nothing is kept
        shown = self.caller.get(f"/services/{service}")["title"]
        self.caller.token = token
        if shown != title:
            self.diary.wrong.append(f"Service {service} is shown as {shown!r} after {title!r} was answered.")

    def upload(self) -> None:
        service = self.chance.choice(self.services)
        path = f"/services/{service}/images"
        there = self.caller.get(path)["items"]
        if len(there) >= MOST_FILES:
            self.caller.ask("DELETE", f"{path}/{there[0]['id']}", {204, 404})
            self.diary.files.pop(there[0]["id"], None)
        size = (self.chance.randint(20, 60), self.chance.randint(20, 60))
        answer = self.caller.post(path, {201}, files={"file": ("room.png", _picture(size))})
        self.diary.files[answer.body["id"]] = {**answer.body, "service": service}


class Customer(Person):
    """Looks around, books, pays, and sometimes cancels."""

    role = "customer"

    def __init__(self, url: str, seed: str, services: list[str]) -> None:
        super().__init__(url, seed)
        self.services = services
        self.unpaid: list[str] = []
        self.booked: list[str] = []

    def things(self) -> dict[Callable[[], None], float]:
        return {
            self.look_around: 3,
            self.book: 5,
            self.pay: 5,
            self.cancel: 1,
            self.read_inbox: 2,
            self.bring_somebody: 0.3,
            self.caller.sign_in: 0.3,
        }

    def look_around(self) -> None:
        asked = self.chance.choice(({"q": "room windows"}, {"category": "home_services"}, {"sort": "-price"}))
        self.caller.get("/services", **asked)
        self.caller.get(f"/services/{self.chance.choice(self.services)}")

    def book(self) -> None:
        """One of the first free slots of a day, which others want too."""
        service = self.chance.choice(self.services)
        day = datetime.now(UTC) + timedelta(days=self.chance.randint(4, 40))
        span = {"from": f"{day:%Y-%m-%dT00:00:00Z}", "to": f"{day:%Y-%m-%dT12:00:00Z}"}
        slots = self.caller.get(f"/services/{service}/slots", **span)["items"][:3]
        if not slots:
            return
        wanted = {"serviceId": service, "scheduledAt": self.chance.choice(slots)["start"]}
        answer, key = self.caller.post_once("/bookings", {201, 409}, wanted)
        if answer.status == 409:
            return
        self.diary.bookings[answer.body["id"]] = answer.body
        self.unpaid.append(answer.body["id"])
        self.booked.append(answer.body["id"])
        if self.chance.random() < 0.2:
            self._ask_again("/bookings", wanted, key, answer)

    def _ask_again(self, path: str, wanted: dict[str, Any], key: str, first: Answer) -> None:
        again = self.caller.post(path, {first.status}, wanted, headers={"Idempotency-Key": key})
        if again.body != first.body or not again.replayed:
            self.diary.wrong.append(f"POST {path} under its old key: {again.body}, not {first.body}")

    def pay(self) -> None:
        if not self.unpaid:
            return
        booking = self.unpaid.pop(self.chance.randrange(len(self.unpaid)))
        method = self.chance.choice(("mock_success", "mock_success", "mock_pending", "mock_declined"))
        wanted = {"bookingId": booking, "paymentMethod": method}
        answer, key = self.caller.post_once("/payments", {201, 402, 409}, wanted)
        if answer.status == 409:
            if answer.code != "booking_not_payable":  # `already_paid`: it met its own payment
                self.diary.wrong.append(f"Booking {booking} can't be paid: {answer.body}")
            return
        self.diary.payments[answer.body["id" if answer.status == 201 else "paymentId"]] = booking
        if answer.status == 402:
            self.unpaid.append(booking)
        if self.chance.random() < 0.2:
            self._ask_again("/payments", wanted, key, answer)

    def cancel(self) -> None:
        if self.booked:
            booking = self.booked.pop(self.chance.randrange(len(self.booked)))
            self.move(booking, "cancel", "cancelled", {"reason": "Something else."})


def _picture(size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize(size).save(out, "PNG")
    return out.getvalue()


def is_read_back(file: dict[str, Any]) -> bool:
    """Whether the storage has what was answered."""
    stored = httpx.get(file["url"], timeout=20)
    return stored.status_code == 200 and len(stored.content) == file["size"]
