"""One endpoint of each kind that limits know."""

from typing import Any

from django.http import HttpRequest
from django.urls import path

from marketplace_kit.api import Api
from marketplace_kit.exceptions import Unauthenticated
from marketplace_kit.ratelimits import count
from marketplace_kit.routing import Router, ignores_authorization, limited_as
from marketplace_kit.schemas import In, Line100, Out


class Enter(In):
    name: Line100


class Echo(Out):
    given: dict[str, Any]


router = Router(tags=["Limits"])


@router.post("/enter", auth=None, response=Echo)
@ignores_authorization
@limited_as("enter")
def enter(request: HttpRequest, body: Enter) -> dict[str, Any]:
    """Come in."""
    count(request, "name", body.name)
    return {"given": {"name": body.name}}


@router.get("/read", auth=None, response=Echo)
def read(request: HttpRequest) -> dict[str, Any]:
    """Look."""
    return {"given": {}}


@router.post("/write", response=Echo)
def write(request: HttpRequest, body: Enter) -> dict[str, Any]:
    """Change."""
    return {"given": {}}


@router.post("/write-as-anybody", auth=None, response=Echo)
@ignores_authorization
def write_as_anybody(request: HttpRequest) -> dict[str, Any]:
    """Change without signing in."""
    return {"given": {}}


@router.get("/exempt", auth=None, response=Echo)
@limited_as(None)
def exempt(request: HttpRequest) -> dict[str, Any]:
    """Whether it lives."""
    return {"given": {}}


def signed_in(request: HttpRequest) -> bool:
    if not request.user.is_authenticated:
        raise Unauthenticated
    return True


api = Api(title="limits", auth=signed_in, urls_namespace="limits")
api.add_router("", router)
urlpatterns = [path("api/", api.urls)]
