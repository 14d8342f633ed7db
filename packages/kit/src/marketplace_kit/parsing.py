"""The one JSON parser: exact numbers, and none of the leniencies of Python's."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser

MAX_DEPTH = 64


class MalformedJson(ValueError):
    """The body is not JSON as RFC 8259 has it."""


class StrictParser(Parser):
    """Floats as Decimal; doubled keys, NaN, bad UTF-8 and more than 64 levels are refused."""

    def parse_body(self, request: HttpRequest) -> Any:
        return parse_json(request.body)


def parse_json(body: bytes) -> Any:
    """The value of a JSON text. MalformedJson with a sentence for the client where it is none."""
    try:
        value = json.loads(
            body.decode(),
            parse_float=_exact,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_doubles,
        )
    except UnicodeDecodeError as error:
        raise MalformedJson("The body is not UTF-8.") from error
    except RecursionError as error:
        raise MalformedJson(f"The body is nested deeper than {MAX_DEPTH} levels.") from error
    except json.JSONDecodeError as error:
        raise MalformedJson(f"The body is not JSON: {error.msg} at character {error.pos}.") from error
    except MalformedJson:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise MalformedJson("The body contains a number that is too long.") from error
    if _depth_exceeds(value, MAX_DEPTH):
        raise MalformedJson(f"The body is nested deeper than {MAX_DEPTH} levels.")
    return value


def _exact(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise MalformedJson("The body contains a number that is too long.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJson(f"{name} is not a JSON value.")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedJson("An object has the same key twice.")
    return result


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        containers = [v for v in level if isinstance(v, dict | list)]
        if not containers:
            return False
        level = [child for v in containers for child in (v.values() if isinstance(v, dict) else v)]
    return any(isinstance(v, dict | list) for v in level)
