"""What the OpenAPI document says beyond its operations: the groups, in the order to read them, and what we send."""

from typing import Any

CONTACT = {"name": "Marketplace support"}
LICENSE = {"name": "MIT", "identifier": "MIT"}
SERVERS = [{"url": "/", "description": "The host that serves this document."}]

TAGS = {
    "Auth": """Registering, signing in and out, and passwords.

A Session has two tokens. Send `access` with each request; when it expires, exchange `refresh` for a new pair.
Each refresh token works once. Reusing one ends the whole session.""",
    "Users": "Your account and the public profiles of others. Export or erase the data held about you.",
    "Services": """What providers offer. Anyone can search; providers create, update and remove services.

A service states what it is, what it costs, and its opening hours, as local times in its own time zone.""",
    "Availability": """When a service can be booked.

Slots are the starts that `POST /api/v1/bookings` would accept now. If one is missing, ask for an explanation.
Exceptions replace the weekly hours on single dates.""",
    "Files": """Images and documents of a service.

Send a file through the API as `multipart/form-data`; or get a signed form, send the file directly to storage, and
complete the upload.""",
    "Bookings": """Bookings from slot to completion: `pending`, `confirmed`, `completed`, or `cancelled`.

Of several simultaneous requests for a slot, only one succeeds. With an `Idempotency-Key`, a request whose answer was
lost can safely be sent again.""",
    "Payments": """Payments, refunds, and providers' earnings.

A declined card is answered with 402. A payment may start as `pending`; a notification tells you the outcome. When a
booking is cancelled, it is refunded automatically according to its policy.""",
    "Reviews": "Customers' reviews of completed bookings, and providers' replies.",
    "Notifications": "What happened: in an inbox, as a stream of Server-Sent Events, and by e-mail, as you prefer.",
    "Webhooks": """The same notifications, sent to a server of your own.

They are signed according to [Standard Webhooks](https://www.standardwebhooks.com); `receiveNotification` describes the
request. Answer 2xx within seconds; anything else is retried at growing intervals, with the same `webhook-id`.""",
    "Health": "For load balancers: whether the process and the parts it depends on respond.",
}

SIGNED_WITH = {
    "webhook-id": "The notification's id, the same on every retry.",
    "webhook-timestamp": "When it was sent, as Unix time in seconds.",
    "webhook-signature": "`v1,` and the base64 HMAC-SHA256 of id, timestamp and body with the webhook's secret. For a"
    " day after a rotation there are several, separated by spaces.",
}
NOTIFICATION = {
    "id": "019b8d3c-6a00-7000-8000-000000000001",
    "type": "booking.confirmed",
    "title": "Your booking is confirmed",
    "body": "Deep cleaning, 5 January 2027, 09:00.",
    "data": {"bookingId": "019b8d3c-6a00-7000-8000-000000000002"},
    "readAt": None,
    "createdAt": "2027-01-04T08:00:00Z",
}
WEBHOOK = {
    "type": "object",
    "required": ["type", "timestamp", "data"],
    "properties": {
        "type": {"type": "string", "description": "The notification's type."},
        "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
        "data": {"$ref": "#/components/schemas/Notification"},
    },
}
NOTIFIED = {
    "operationId": "receiveNotification",
    "summary": "Receive a notification",
    "description": "Receive a notification at your own endpoint. Verify the signature first.",
    "tags": ["Webhooks"],
    "security": [],
    "parameters": [
        {"in": "header", "name": name, "required": True, "schema": {"type": "string"}, "description": description}
        for name, description in SIGNED_WITH.items()
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": WEBHOOK,
                "example": {"type": NOTIFICATION["type"], "timestamp": NOTIFICATION["createdAt"], "data": NOTIFICATION},
            }
        },
    },
    "responses": {
        "2XX": {"description": "Received."},
        "410": {"description": "Gone: the webhook is switched off."},
        "default": {"description": "Not received: it is sent again, for up to several days."},
    },
}

EXTRA: dict[str, Any] = {
    "info": {"contact": CONTACT, "license": LICENSE},
    "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
    "webhooks": {"notification": {"post": NOTIFIED}},
}
