"""One books, and the other confirms."""

from browsing import Visitor, make_person

from marketplace_booking.testing import a_start
from marketplace_catalog.testing import make_service

mia, tom = make_person("mia", sells=True), make_person("tom")
wish = {"serviceId": str(make_service(mia).pk), "scheduledAt": a_start().isoformat()}
booked = Visitor(tom).expect(201, "post", "/api/bookings", wish)
assert (booked["customerId"], booked["providerId"]) == (tom.pk, mia.pk)
assert Visitor(mia).expect(200, "post", f"/api/bookings/{booked['id']}/confirm")["status"] == "confirmed"
Visitor(make_person("eve")).expect(404, "get", f"/api/bookings/{booked['id']}")
