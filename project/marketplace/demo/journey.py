"""The journey, step by step: both sides from registration to notification."""

import email
import io
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

import httpx

from .client import Client, check
from .listener import PATIENCE, Listener
from .show import Show

PASSWORD = "correct-horse-battery"  # noqa: S105  (of a user made up for the demo)
SERVICE = {
    "title": "Deep cleaning",
    "description": "Every room, windows included.",
    "category": "home_services",
    "price": 50.00,
    "currency": "USD",
    "duration": 60,
    "timezone": "Europe/Berlin",
    "availability": {
        day: ["08:00", "12:00", "13:00", "20:00"] for day in ("monday", "tuesday", "wednesday", "thursday", "friday")
    },
    "bufferAfter": 15,
}


@dataclass
class Journey:
    """One play of it against the system at `url`. `mail`: the folder of its e-mail files, where it is known."""

    url: str
    show: Show
    mail: Path | None = None
    customer: Client = field(init=False)
    provider: Client = field(init=False)
    service: dict[str, Any] = field(init=False)
    booking: dict[str, Any] = field(init=False)
    payment: dict[str, Any] = field(init=False)

    def play(self) -> None:
        """Every step. StepFailed where one does not answer as the contract says."""
        self.register()
        self.offer()
        self.find()
        with self.listen(self.customer) as customer, self.listen(self.provider) as provider:
            self.book()
            self.pay()
            self.confirm()
            provider.wait_for("booking.created", "payment.succeeded")
            customer.wait_for("payment.failed", "payment.succeeded", "booking.confirmed")
        self.cancel()
        self.resume(customer, "refund.succeeded")
        self.resume(provider, "booking.cancelled")
        self.read_inbox(self.customer, customer)
        self.read_inbox(self.provider, provider)
        if self.mail is not None:
            self.read_mail(self.mail)

    # --- both sides come ---

    def register(self) -> None:
        self.show.step("Both sides register and sign in")
        self.customer = self._join("customer")
        self.provider = self._join("provider")

    def _join(self, role: str) -> Client:
        address = f"{role}-{uuid.uuid4().hex[:12]}@example.com"
        profile = {"firstName": role.capitalize(), "lastName": "Demo"}
        client = Client(self.url, self.show, role)
        client.post("/auth/register", {"email": address, "password": PASSWORD, "role": role, "profile": profile})
        client.post("/auth/login", {"email": address, "password": "wrong" + PASSWORD}, 401)
        session = client.post("/auth/login", {"email": address.upper(), "password": PASSWORD}, 200)
        client.token = session["access"]
        me = client.get("/users/me")
        check(me["email"] == address and me["role"] == role, f"GET /users/me is not the {role} who registered.")
        return client

    # --- a service is offered and found ---

    def offer(self) -> None:
        self.show.step("The provider offers a service, with hours and a picture")
        self.customer.post("/services", SERVICE, 403)
        self.service = self.provider.post("/services", SERVICE)
        file = self.provider.upload(f"/services/{self.service['id']}/images", "room.png", _picture())
        stored = httpx.get(file["url"], timeout=20)
        self.show.note(f"{len(stored.content)} bytes of {stored.headers['content-type']} read back from the storage")
        check(stored.status_code == 200 and len(stored.content) == file["size"], "The stored picture can't be read.")

    def find(self) -> None:
        self.show.step("Anybody finds and reads it")
        anybody = Client(self.url, self.show)
        found = anybody.get("/services", category="home_services", currency="USD", minPrice="50", maxPrice="50.00")
        check(self.service["id"] in [s["id"] for s in found["items"]], "The new service is not in the list.")
        shown = anybody.get(f"/services/{self.service['id']}")
        check(shown["price"] == Decimal("50.00") and len(shown["images"]) == 1, "The service is not as it was offered.")

    # --- it is booked and paid ---

    def listen(self, client: Client, last_id: str | None = None) -> Listener:
        stream = f"{self.url}/api/v1/notifications/stream"
        return Listener(stream, client.token or "", client.name, self.show, last_id)

    def book(self) -> None:
        self.show.step("The customer asks for free slots and books one")
        slot = self._slots()[0]
        wanted = {"serviceId": self.service["id"], "scheduledAt": slot["start"], "notes": "Ring twice."}
        self.booking = self.customer.post("/bookings", wanted)
        check(self.booking["status"] == "pending", "A new booking is not pending.")
        self.customer.post("/bookings", wanted, 409)
        check(slot not in self._slots(), "The slot is still listed.")

    def _slots(self) -> list[dict[str, str]]:
        start = datetime.now(UTC) + timedelta(days=3)
        span: dict[str, Any] = {
            "from": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "to": f"{start + timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}",
        }
        slots: list[dict[str, str]] = self.customer.get(f"/services/{self.service['id']}/slots", **span)["items"]
        check(bool(slots), "There are no free slots.")
        return slots

    def pay(self) -> None:
        self.show.step("The first card is declined, the second one pays")
        declined = self.customer.post("/payments", self._by("mock_declined"), 402)
        check(declined["code"] == "card_declined", "The refusal does not say card_declined.")
        self.payment = self.customer.post("/payments", self._by("mock_success"))
        check(self.payment["status"] == "succeeded", "The payment did not succeed.")
        self.customer.post("/payments", self._by("mock_success"), 409)

    def _by(self, method: str) -> dict[str, str]:
        return {"bookingId": self.booking["id"], "paymentMethod": method}

    def confirm(self) -> None:
        self.show.step("The provider confirms")
        self.customer.post(f"/bookings/{self.booking['id']}/confirm", expect=403)
        confirmed = self.provider.post(f"/bookings/{self.booking['id']}/confirm", expect=200)
        check(confirmed["status"] == "confirmed", "The booking is not confirmed.")

    # --- it is called off, and both are told ---

    def cancel(self) -> None:
        self.show.step("The customer cancels, and gets the money back")
        self.customer.post(f"/bookings/{self.booking['id']}/cancel", {"reason": "I am ill."}, 200)
        deadline = time.monotonic() + PATIENCE
        while (payment := self.customer.get(f"/payments/{self.payment['id']}"))["status"] != "refunded":
            check(time.monotonic() < deadline, f"The refund did not come within {PATIENCE:.0f} s.")
            time.sleep(0.5)
        check(payment["refundedAmount"] == payment["amount"], "Not all of it was given back.")
        self.customer.get(f"/payments/{self.payment['id']}/refunds")
        history = self.customer.get(f"/bookings/{self.booking['id']}/history")["items"]
        check([h["action"] for h in history] == ["created", "confirmed", "cancelled"], "The history is another.")

    def resume(self, before: Listener, awaited: str) -> None:
        self.show.step(f"The {before.name}'s stream, that was closed, goes on where it was")
        client = self.customer if before.name == "customer" else self.provider
        with self.listen(client, before.last_id) as after:
            after.wait_for(awaited)
        ids = [event["id"] for event in before.events + after.events]
        check(len(ids) == len(set(ids)), "The stream brought an event twice.")
        before.events += after.events

    def read_inbox(self, client: Client, listener: Listener) -> None:
        self.show.step(f"The {client.name} finds all of it in the inbox")
        inbox = client.get("/notifications", limit="100")["items"]
        streamed = [event["id"] for event in listener.events]
        check({n["id"] for n in inbox} == set(streamed), "Inbox and stream differ.")
        client.post(f"/notifications/{inbox[0]['id']}/read", expect=200)
        client.post("/notifications/read-all", expect=204)
        check(client.get("/notifications/unread-count")["count"] == 0, "There are unread ones left.")

    def read_mail(self, folder: Path) -> None:
        self.show.step("And as e-mail")
        for client in (self.customer, self.provider):
            address = client.get("/users/me")["email"]
            wanted = 1 + len(client.get("/notifications", limit="100")["items"])  # the one to verify the address
            deadline = time.monotonic() + PATIENCE
            while len(mails := _mails(folder, address)) < wanted:
                check(
                    time.monotonic() < deadline,
                    f"{len(mails)} of {wanted} mails to {address} came within {PATIENCE:.0f} s.",
                )
                time.sleep(0.5)
            check(len(mails) == wanted, f"{len(mails)} mails came to {address}, not {wanted}.")
            for message in mails:
                self.show.mail(address, message["Subject"])


def _mails(folder: Path, address: str) -> list[Message]:
    found = [email.message_from_bytes(path.read_bytes(), policy=default) for path in sorted(folder.glob("*.eml"))]
    return [message for message in found if message["To"] == address]


def _picture() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((640, 480)).save(out, "PNG")
    return out.getvalue()
