"""One takes a thing; what is wrong is a problem document."""

from browsing import Visitor, make_person

tom = Visitor(make_person("tom"))
assert tom.expect(200, "post", "/api/things/2/take", {"takenBy": "Tom"}) == {"id": 2, "takenBy": "Tom"}
assert tom.expect(409, "post", "/api/things/1/take", {"takenBy": "Tom"})["code"] == "already_taken"
assert tom.expect(422, "post", "/api/things/3/take", {})["errors"][0]["pointer"] == "/takenBy"
assert Visitor().expect(401, "post", "/api/things/3/take", {"takenBy": "Tom"})["code"] == "not_authenticated"
