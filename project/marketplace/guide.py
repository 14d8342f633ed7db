"""What the OpenAPI document says beyond its operations: the groups, in the order to read them, and what we send."""

from typing import Any

CONTACT = {"name": "The support of this marketplace"}
LICENSE = {"name": "MIT", "identifier": "MIT"}
SERVERS = [{"url": "/", "description": "The host that this document comes from."}]

TAGS = {
    "Auth": """Registering, signing in and out, passwords.

A Session comes with two tokens. Send `access` with each request; when it is over, exchange `refresh` for the next pair.
Each refresh token works once: whoever uses one again ends the whole session.""",
    "Users": "Yourself, and what you may see of others. All that is held on you, and how to have it erased.",
    "Services": """What providers offer. Anybody can search; providers offer, change and withdraw.

A service says what it is, what it costs, and in which hours it can be had, as local times of its own time zone.""",
    "Availability": """When a service can be had.

Slots are the starts that `POST /api/v1/bookings` would take now. Where one is missing, ask for the explanation.
Dated exceptions stand in for the weekly hours.""",
    "Files": """Images and documents of a service.

Send a file through the API, as `multipart/form-data`; or get a signed form, send the file straight to the storage, and
complete the upload.""",
    "Bookings": """From the slot to the work done: `pending`, `confirmed`, `completed`, or `cancelled`.

However many ask for a slot at once, one gets it. Send an `Idempotency-Key`, and a request whose answer was lost can be
sent again.""",
    "Payments": """Paying, refunds, and what a provider has earned.

A declined card is a 402. A payment may be `pending` first: a notification tells how it ends. What a cancelled booking
gives back follows from its policy, by itself.""",
    "Reviews": "What customers of completed bookings thought, and what providers have to say to it.",
    "Notifications": "What happened, as an inbox, a stream of Server-Sent Events, and e-mails, each as you prefer.",
    "Webhooks": """The same notifications, sent to a server of yours.

They are signed by [Standard Webhooks](https://www.standardwebhooks.com); `receiveNotification` says what is sent.
Answer 2xx within seconds; anything else is tried again, later and later. Sent twice, it has the same `webhook-id`.""",
    "Health": "For load balancers: whether the process answers, and whether each part that it needs does.",
}

SIGNED_WITH = {
    "webhook-id": "Names the notification. It is the same however often this is sent.",
    "webhook-timestamp": "When it was sent, in seconds since 1970.",
    "webhook-signature": "`v1,` and the HMAC-SHA256 of id, timestamp and body by the endpoint's secret, in base64;"
    " more than one, with spaces between, for a day after a new secret.",
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
    "summary": "What your endpoint is sent",
    "description": "Something that you were told, on its way to an endpoint of yours. Look at the signature first.",
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
        "2XX": {"description": "It has arrived."},
        "410": {"description": "There is nobody any more: the endpoint is switched off."},
        "default": {"description": "It is sent again, up to days later."},
    },
}

EXTRA: dict[str, Any] = {
    "info": {"contact": CONTACT, "license": LICENSE},
    "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
    "webhooks": {"notification": {"post": NOTIFIED}},
}
