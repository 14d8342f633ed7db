"""A client that doesn't give up: what got no answer, or a 503, it sends again, a write under its old key."""

from collections.abc import Collection
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx

from .diary import Diary

PATIENCE = 120.0  # seconds for one thing, whatever dies meanwhile
TIMEOUT = 15.0  # seconds for one answer
AGAIN = 0.3  # seconds; sooner than Retry-After asks for
PROBLEM = "application/problem+json"


class GaveUp(Exception):
    """Nothing came of it within PATIENCE."""


@dataclass(frozen=True)
class Answer:
    """The one that ended the matter."""

    status: int
    body: Any
    in_doubt: bool  # an earlier try may have been carried out
    replayed: bool = False

    @property
    def code(self) -> str:
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


class Caller:
    """One person's HTTP client."""

    def __init__(self, url: str, diary: Diary) -> None:
        self.diary = diary
        self.token = ""
        self.credentials: dict[str, str] = {}
        self._http = httpx.Client(base_url=f"{url}/api/v1", timeout=TIMEOUT)
        self._never = Event()

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        return self.ask("GET", path, {200}, params=params).body

    def post(self, path: str, expected: Collection[int], body: Any = None, **options: Any) -> Answer:
        return self.ask("POST", path, expected, json=body, **options)

    def post_once(self, path: str, expected: Collection[int], body: Any) -> tuple[Answer, str]:
        """Under a new key; the key, too."""
        key = uuid4().hex
        return self.post(path, expected, body, headers={"Idempotency-Key": key}), key

    def sign_in(self) -> None:
        self.token = self.post("/auth/login", {200}, self.credentials).body["access"]

    def ask(self, method: str, path: str, expected: Collection[int], **options: Any) -> Answer:
        """The answer that is one. GaveUp."""
        began, tries = monotonic(), 0
        while True:
            response = self._once(method, path, options)
            if response is not None and not self._is_to_wait(response):
                return self._taken(method, path, expected, response, tries > 0)
            tries += 1
            self.diary.repeated += 1
            if monotonic() - began > PATIENCE:
                said = "nothing" if response is None else response.text[:200]
                self.diary.wrong.append(f"{method} {path}: no answer within {PATIENCE:.0f} s, at last {said}")
                raise GaveUp
            self._never.wait(AGAIN)

    def _once(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response | None:
        headers = dict(options.get("headers", ()))
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            response = self._http.request(method, path, **{**options, "headers": headers})
        except httpx.TransportError as error:
            self.diary.silences[type(error).__name__] += 1
            return None
        self.diary.answers[response.status_code] += 1
        if response.status_code >= 400:
            self._look_at(method, path, response)
        return response

    def _look_at(self, method: str, path: str, response: httpx.Response) -> None:
        """A refusal is a problem document; a 5xx is a 503, and says when to come again."""
        faults = []
        if response.headers.get("Content-Type") != PROBLEM:
            faults.append("no problem document")
        if response.status_code >= 500 and response.status_code != 503:
            faults.append("a defect")
        if response.status_code == 503 and not response.headers.get("Retry-After", "").isdigit():
            faults.append("no Retry-After")
        for fault in faults:
            self.diary.wrong.append(f"{method} {path}: {response.status_code}, {fault}: {response.text[:300]}")

    def _is_to_wait(self, response: httpx.Response) -> bool:
        if response.status_code == 401 and self.token and self.credentials:
            self.token = ""
            self.sign_in()  # the access token has come to its end
            return True
        in_progress = response.status_code == 409 and "idempotency_in_progress" in response.text
        return response.status_code == 503 or in_progress

    def _taken(
        self, method: str, path: str, expected: Collection[int], response: httpx.Response, in_doubt: bool
    ) -> Answer:
        body = response.json() if response.content and "json" in response.headers.get("Content-Type", "") else None
        replayed = response.headers.get("Idempotent-Replayed") == "true"
        self.diary.replayed += replayed
        if response.status_code not in expected:
            self.diary.wrong.append(f"{method} {path}: {response.status_code}, not {expected}: {response.text[:300]}")
            raise GaveUp
        return Answer(response.status_code, body, in_doubt, replayed)
