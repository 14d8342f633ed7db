"""One is told, in his inbox and by mail, and the stream can be imported by a server for ASGI."""

from browsing import Visitor, make_person
from example.stream_asgi import application

from marketplace_notifications.actions import notify

tom, eve = make_person("tom"), make_person("eve")
notify(tom.pk, "parcel.sent", data={"parcelId": 7}, context={"number": "P-7"})
assert Visitor(tom).expect(200, "get", "/api/notifications")["items"][0]["title"] == "Parcel P-7 is on its way"
assert Visitor(eve).expect(200, "get", "/api/notifications/unread-count") == {"count": 0}
assert callable(application)
