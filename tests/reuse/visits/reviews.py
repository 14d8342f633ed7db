"""One reviews what he had, and the service is rated by it."""

from browsing import Visitor, make_person

from marketplace_catalog.testing import make_service
from marketplace_reviews.testing import make_completed_booking

mia, tom = make_person("mia", sells=True), make_person("tom")
service = make_service(mia)
booking = make_completed_booking(tom, service)
Visitor(tom).expect(201, "post", f"/api/bookings/{booking.pk}/review", {"rating": 4, "comment": "Short, as asked."})
assert Visitor().expect(200, "get", f"/api/services/{service.pk}")["rating"] == {"average": 4, "count": 1}
