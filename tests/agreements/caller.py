"""Who asks the API over HTTP, for all people of an example."""

import base64
import hmac
import json
from decimal import Decimal
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from marketplace_accounts.tokens import AccessToken, new_jti
from marketplace_kit import clock
from marketplace_kit.testing import JsonClient

type Answer = tuple[int, Any]  # the status, and the JSON with its numbers as Decimal


class Caller:
    """`sessions`: the keys of each one's user and of his session."""

    def __init__(self, sessions: dict[str, tuple[Any, Any]]) -> None:
        self.client, self.sessions = JsonClient(), sessions
        self.tokens: dict[str, str] = {}
        self.keys = 0
        self.replayed = False

    def call(self, who: str, method: str, path: str, body: Any = None, key: str | None = None) -> Answer:
        """The status and the JSON of an answer."""
        if who not in self.tokens:
            user, session = self.sessions[who]
            self.tokens[who] = str(AccessToken.of(session, user, new_jti()))
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} | ({"Idempotency-Key": key} if key else {})
        arguments = () if method == "get" else (body,)
        answer = getattr(self.client, method)(f"/api/v1{path}", *arguments, headers=headers)
        assert answer.status_code < 500, answer.content
        self.replayed = answer.get("Idempotent-Replayed") == "true"
        return answer.status_code, json.loads(answer.content, parse_float=Decimal)

    def post(self, who: str, path: str, body: Any = None, *, twice: bool = False) -> Answer:
        """Once, or twice under one key: what was done, or conflicted, is not done again."""
        if not twice:
            return self.call(who, "post", path, body)
        self.keys += 1
        first = self.call(who, "post", path, body, f"key-{self.keys}")
        assert not self.replayed
        again = self.call(who, "post", path, body, f"key-{self.keys}")
        kept = first[0] in (201, 402, 409)
        assert self.replayed == kept
        assert again[0] == first[0]
        assert again[1] == first[1] or not kept
        return first

    def pages(self, who: str, path: str, query: dict[str, Any]) -> list[Any]:
        status, page = self.call(who, "get", f"{path}?{urlencode(query)}")
        assert status == 200, page
        items: list[Any] = page["items"]
        if page["nextCursor"] is None:
            return items
        return items + self.pages(who, path, query | {"cursor": page["nextCursor"]})

    def webhook(self, event_id: str, body: bytes) -> int:
        at = str(int(clock.now().timestamp()))
        secret = base64.b64decode(str(settings.BILLING["MOCK_WEBHOOK_SECRET"]).removeprefix("whsec_"))
        mac = hmac.digest(secret, f"{event_id}.{at}.".encode() + body, sha256)
        signature = f"v1,{base64.b64encode(mac).decode()}"
        headers = {"webhook-id": event_id, "webhook-timestamp": at, "webhook-signature": signature}
        path = "/api/v1/payments/webhooks/mock"
        answer = self.client.generic("POST", path, body, content_type="application/json", headers=headers)
        return answer.status_code
