"""Who may call an operation that does not say `auth=None`: whoever sends a good access token."""

from django.http import HttpRequest
from marketplace_kit.exceptions import Unauthenticated
from ninja.security import HttpBearer


class AccessToken(HttpBearer):
    """The middleware resolves the token into `request.user`; here it is only asked whether there was one."""

    def __call__(self, request: HttpRequest) -> bool:
        if not request.user.is_authenticated:
            raise Unauthenticated
        return True

    def authenticate(self, request: HttpRequest, token: str) -> bool:  # pragma: no cover
        raise NotImplementedError("__call__ does it all")
