"""`/api/health`: whether this process lives, and whether the parts it needs answer."""

from collections.abc import Callable
from typing import Any, Literal

import structlog
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest
from pydantic import Field
from redis.exceptions import RedisError

from marketplace_kit.exceptions import ServiceUnavailable
from marketplace_kit.routing import Router, ignores_authorization, limited_as, refuses
from marketplace_kit.schemas import Out, Problem
from marketplace_media import storage
from marketplace_media.exceptions import StorageUnavailable

log = structlog.get_logger(__name__)
router = Router(tags=["Health"])


class Health(Out):
    """Whether the process responds."""

    status: Literal["ok"] = Field("ok", description="Always `ok`.")


class Readiness(Out):
    """The state of each part that the process needs."""

    status: Literal["ok"] = Field(description="All parts respond.")
    parts: dict[str, Literal["ok"]] = Field(description="The state of each part: database, cache, storage.")


class ReadinessProblem(Problem):
    """An error that says which part is down."""

    parts: dict[str, Literal["ok", "unavailable"]] = Field(description="By part: database, cache, storage.")


class NotReady(ServiceUnavailable):
    """A part that the process needs is down: `parts` says which."""

    problem = ReadinessProblem


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _cache() -> None:
    cache.client.get_client().ping()  # type: ignore[attr-defined]  # the cache itself fails soft, and so silently


PARTS: dict[str, Callable[[], object]] = {"database": _database, "cache": _cache, "storage": storage.ping}
FAILURES = (DatabaseError, RedisError, OSError, StorageUnavailable)


@router.get("/live", auth=None, response=Health)
@ignores_authorization
@limited_as(None)
def get_liveness(request: HttpRequest) -> Health:
    """Check that the process responds. Other parts are not asked."""
    return Health()


@router.get("/ready", auth=None, response=Readiness)
@refuses(NotReady)
@ignores_authorization
@limited_as(None)
def get_readiness(request: HttpRequest) -> dict[str, Any]:
    """Check every part that the process needs. If one doesn't respond: 503, and the problem's `parts` say which."""
    parts = {name: _state(name, ask) for name, ask in PARTS.items()}
    if "unavailable" in parts.values():
        raise NotReady(parts=parts)
    return {"status": "ok", "parts": parts}


def _state(name: str, ask: Callable[[], object]) -> Literal["ok", "unavailable"]:
    try:
        ask()
    except FAILURES as error:
        log.warning("part_unavailable", part=name, error=str(error))
        return "unavailable"
    return "ok"
