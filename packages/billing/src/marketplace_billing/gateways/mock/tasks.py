"""The mock's own work: it settles what it left pending, and tells us."""

from http import HTTPStatus
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson
from procrastinate.contrib.django import app

from marketplace_kit.clock import instant, now
from marketplace_kit.jobs import PATIENT
from marketplace_kit.webhooks import signed

from ... import events
from ...conf import conf
from ..protocol import Event, Kind, Outcome
from .gateway import BOOKS, TYPES


@app.task(name="marketplace_billing_mock.tell", queue="billing", retry=PATIENT)
def tell(kind: str, key: str) -> None:
    """Settle what is pending under a key, and tell it by a webhook: the same one if it is told again."""
    book = BOOKS[Kind(kind)]
    book.objects.settle(key)
    result = book.objects.get(pk=key).result
    event_id = f"msg_{result.reference}"
    if conf.MOCK_WEBHOOK_URL and conf.MOCK_WEBHOOK_SECRET:
        post(event_id, Kind(kind), result.outcome, key)
    else:
        events.receive_event(event_id, Event(Kind(kind), key, result))


def post(event_id: str, kind: Kind, outcome: Outcome, key: str) -> None:
    """Send the signed webhook. OSError where it does not arrive, or is not taken."""
    type_ = next(name for name, meaning in TYPES.items() if meaning == (kind, outcome))
    body = orjson.dumps({"type": type_, "timestamp": instant(now()), "data": {"reference": key}})
    headers = {"Content-Type": "application/json", **signed(event_id, body, conf.MOCK_WEBHOOK_SECRET)}
    request = Request(conf.MOCK_WEBHOOK_URL, data=body, headers=headers, method="POST")  # noqa: S310  (the host's own)
    with build_opener(_NoRedirect).open(request, timeout=conf.GATEWAY_TIMEOUT) as answer:
        if answer.status != HTTPStatus.NO_CONTENT:
            raise OSError(f"The webhook was answered {answer.status}.")


class _NoRedirect(HTTPRedirectHandler):
    """A redirected POST would arrive as a GET."""

    def redirect_request(self, *_: object) -> None:
        return None
