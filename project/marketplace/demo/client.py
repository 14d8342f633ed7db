"""An HTTP client that expects what the contract says, and shows what it gets."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx

from .show import Show


class StepFailed(Exception):
    """An answer was not what the contract says."""


@dataclass
class Client:
    """One person at the API."""

    url: str
    show: Show
    name: str = "anybody"
    token: str | None = None
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=f"{self.url}/api/v1", timeout=20)

    def call(self, method: str, path: str, expect: int, body: Any = None, **options: Any) -> Any:
        """The JSON of the answer, or None. StepFailed where the status is another than `expect`."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            response = self.http.request(method, path, json=body, headers=headers, **options)
        except httpx.HTTPError as error:
            raise StepFailed(f"{method} {path} got no answer: {error}") from error
        answer = _json(response)
        self.show.answer(self.name, method, path, response.status_code, answer)
        if response.status_code != expect:
            raise StepFailed(f"{method} {path} answered {response.status_code}, not {expect}: {response.text[:500]}")
        return answer

    def get(self, path: str, expect: int = 200, **params: Any) -> Any:
        return self.call("GET", path, expect, params=params)

    def post(self, path: str, body: Any = None, expect: int = 201) -> Any:
        return self.call("POST", path, expect, body)

    def upload(self, path: str, name: str, content: bytes, expect: int = 201) -> Any:
        return self.call("POST", path, expect, files={"file": (name, content)})


def _json(response: httpx.Response) -> Any:
    if not response.content or "json" not in response.headers.get("content-type", ""):
        return None
    import json

    return json.loads(response.content, parse_float=Decimal)


def check(true: bool, sentence: str) -> None:
    """StepFailed with the sentence unless it is true."""
    if not true:
        raise StepFailed(sentence)
