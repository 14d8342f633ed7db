"""One who sells offers a service, and anybody finds it; who doesn't, may not."""

from browsing import Visitor, make_person

SERVICE = {
    "title": "Haircut",
    "description": "Wash, cut, dry.",
    "category": "hair",
    "price": 35,
    "currency": "EUR",
    "duration": 45,
    "timezone": "Europe/Berlin",
    "availability": {"tuesday": ["09:00", "18:00"]},
}
mia = Visitor(make_person("mia", first_name="Mia", sells=True))
offered = mia.expect(201, "post", "/api/services", SERVICE)
Visitor(make_person("tom")).expect(403, "post", "/api/services", SERVICE)
found = Visitor().expect(200, "get", "/api/services?q=haircut")["items"]
assert [(service["id"], service["provider"]["firstName"]) for service in found] == [(offered["id"], "Mia")]
