"""One pays for what he booked, and the books agree."""

from browsing import Visitor, make_person

from marketplace_billing.reconciliation import report
from marketplace_booking.testing import make_booking
from marketplace_catalog.testing import make_service

mia, tom = make_person("mia", sells=True), make_person("tom")
booking = make_booking(tom, make_service(mia))
bill = {"bookingId": str(booking.pk), "paymentMethod": "mock_success"}
assert Visitor(tom).expect(201, "post", "/api/payments", bill)["status"] == "succeeded"
assert Visitor(mia).expect(200, "get", "/api/payments/balance")["items"][0]["pending"] == 45
assert not report().differences
